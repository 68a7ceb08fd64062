package proxies

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// recipe is the text of a configuration, with other ports.
type recipe struct {
	text string
	// listeners are the addresses that the proxy listens on.
	listeners []string
}

var (
	// address is how recipes write one: for nginx, and for Envoy.
	address = regexp.MustCompile(`(127\.0\.0\.1:|port_value: )(\d+)\b`)
	// listener is the address of one, after "listen" or within a listener.
	listener = regexp.MustCompile(`(?m)^\s+listen 127\.0\.0\.1:(\d+);|^    address:\n\s+socket_address: \{address: 127\.0\.0\.1, port_value: (\d+)\}`)
)

// readRecipe reads a recipe and replaces all of its ports.
func readRecipe(file string, ports Ports) (recipe, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return recipe{}, err
	}
	return newRecipe(string(text), ports)
}

func newRecipe(text string, ports Ports) (recipe, error) {
	var problem error
	used := map[int]bool{}
	r := recipe{text: address.ReplaceAllStringFunc(text, func(s string) string {
		parts := address.FindStringSubmatch(s)
		port, err := strconv.Atoi(parts[2])
		if err != nil || ports[port] == 0 {
			problem = fmt.Errorf("the recipe has port %s, and nothing to use instead", parts[2])
			return s
		}
		used[port] = true
		return parts[1] + strconv.Itoa(ports[port])
	})}
	for port := range ports {
		if !used[port] {
			problem = fmt.Errorf("the recipe has no port %d", port)
		}
	}
	for _, found := range listener.FindAllStringSubmatch(r.text, -1) {
		r.listeners = append(r.listeners, "127.0.0.1:"+found[1]+found[2])
	}
	if problem == nil && len(r.listeners) == 0 {
		problem = fmt.Errorf("the recipe has no listener on 127.0.0.1")
	}
	return r, problem
}
