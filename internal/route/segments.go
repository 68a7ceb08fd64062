package route

import (
	"net/url"
	"strings"
)

// split cuts a path without its first slash into segments; a slash at the end
// makes none.
func split(path string) []string {
	path = strings.TrimSuffix(path, "/")
	if path == "" {
		return nil
	}
	return strings.Split(path, "/")
}

// trimmed returns a path without a slash at its end: a slash and a segment each
// time, or "" for no segments.
func trimmed(path string) string {
	if path == "" || path[0] != '/' {
		path = "/" + path // which no normal path needs
	}
	if n := len(path); n > 1 && path[n-1] == '/' {
		path = path[:n-1]
	}
	if path == "/" {
		return ""
	}
	return path
}

// next cuts the first segment off a trimmed path that has one.
func next(path string) (segment, rest string) {
	path = path[1:]
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// decoded returns a segment as an upstream sees it, however it was spelt.
func decoded(segment string) string {
	if strings.IndexByte(segment, '%') < 0 {
		return segment
	}
	if plain, err := url.PathUnescape(segment); err == nil {
		return plain
	}
	return segment
}
