package proxies

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// place is where a recipe changes for TLS to the auth server: what a file of tls has is
// put there, the next line asks https, or both.
var place = regexp.MustCompile(`(?m)^([ \t]*)# With TLS: (?:(tls/\S+) here)?(?:, and )?(https in the next line)?\.\n(.*\n)?`)

// WithTLS returns a recipe's text as users change it for TLS to the auth server. The
// files that its comments name are below dir. A text without such comments stays as
// it is.
func WithTLS(dir, recipe string) (string, error) {
	var problem error
	text := place.ReplaceAllStringFunc(recipe, func(s string) string {
		found := place.FindStringSubmatch(s)
		indent, file, https, next := found[1], found[2], found[3], found[4]
		var block string
		if file != "" {
			content, err := os.ReadFile(filepath.Join(dir, file))
			if err != nil {
				problem = err
			}
			block = regexp.MustCompile(`(?m)^(.)`).ReplaceAllString(string(content), indent+"$1")
		}
		if https != "" {
			if !strings.Contains(next, "http://") {
				problem = fmt.Errorf("the recipe asks for https where there is no http: %q", next)
			}
			next = strings.Replace(next, "http://", "https://", 1)
		}
		return block + next
	})
	return text, problem
}
