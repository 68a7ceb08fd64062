package proxies

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
)

// recipe is a configuration with other ports: the texts of its files.
type recipe struct {
	texts []string
	// listeners are the addresses that the proxy listens on.
	listeners []string
}

var (
	// address is how recipes write one: for most, for Envoy, and for Caddy.
	address = regexp.MustCompile(`(127\.0\.0\.1:|port_value: |http_port )(\d+)\b`)
	// listener is the address of one, after "listen", "bind" or "address:" or
	// "http_port", or within an Envoy listener.
	listener = regexp.MustCompile(`(?m)^\s+(?:(?:listen|bind|address:) 127\.0\.0\.1:|http_port )(\d+);?$|^    address:\n\s+socket_address: \{address: 127\.0\.0\.1, port_value: (\d+)\}`)
)

// readRecipe reads the files of a recipe and replaces all of their ports.
func readRecipe(files []string, ports Ports) (recipe, error) {
	texts := make([]string, len(files))
	for i, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return recipe{}, err
		}
		texts[i] = string(text)
	}
	return newRecipe(texts, ports)
}

func newRecipe(texts []string, ports Ports) (recipe, error) {
	var problem error
	used := map[int]bool{}
	replace := func(s string) string {
		parts := address.FindStringSubmatch(s)
		port, err := strconv.Atoi(parts[2])
		if err != nil || ports[port] == 0 {
			problem = fmt.Errorf("the recipe has port %s, and nothing to use instead", parts[2])
			return s
		}
		used[port] = true
		return parts[1] + strconv.Itoa(ports[port])
	}
	var r recipe
	for _, text := range texts {
		text = address.ReplaceAllStringFunc(text, replace)
		r.texts = append(r.texts, text)
		for _, found := range listener.FindAllStringSubmatch(text, -1) {
			r.listeners = append(r.listeners, "127.0.0.1:"+found[1]+found[2])
		}
	}
	for port := range ports {
		if !used[port] {
			problem = fmt.Errorf("the recipe has no port %d", port)
		}
	}
	if problem == nil && len(r.listeners) == 0 {
		problem = fmt.Errorf("the recipe has no listener on 127.0.0.1")
	}
	return r, problem
}
