package auth

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// ErrPath is returned for a path that two programs could read differently.
var ErrPath = errors.New("path is not normal")

// NormalizePath splits a request target into its path, in which percent-encoded
// unreserved characters (RFC 3986, section 2.3) are decoded, and its query.
//
// It refuses what an upstream could read as another path: empty and dot
// segments, encoded ones too, encoded slashes, backslashes, semicolons, control
// characters, raw spaces, invalid UTF-8, malformed escapes and fragments. A slash
// at the end is fine.
func NormalizePath(target string) (path, query string, err error) {
	if path, query, ok := plainPath(target); ok {
		return path, query, nil
	}
	return normalizePath(target)
}

// plainPath splits a target in which nothing needs a second look, as nearly all do.
func plainPath(target string) (path, query string, ok bool) {
	if target == "" || target[0] != '/' {
		return "", "", false
	}
	for i := range len(target) {
		switch closer[target[i]] {
		case itself:
		case slash: // one that ends the path is fine
			if i+1 < len(target) && (target[i+1] == '/' || target[i+1] == '.') {
				return "", "", false
			}
		case questionMark:
			path, query = target[:i], target[i+1:]
			return path, query, strings.IndexByte(query, '#') < 0
		case special:
			return "", "", false
		}
	}
	return target, "", true
}

// closer says of each byte how closely plainPath looks at it.
var closer = func() (look [256]uint8) {
	for c := range look {
		if c := byte(c); c == '%' || c == ' ' || c == '#' || c >= utf8.RuneSelf || isForbidden(c) {
			look[c] = special
		}
	}
	look['/'], look['?'] = slash, questionMark
	return look
}()

const (
	itself uint8 = iota
	slash
	questionMark
	special
)

func normalizePath(target string) (path, query string, err error) {
	path, query, _ = strings.Cut(target, "?")
	if strings.IndexByte(target, '#') >= 0 || strings.IndexByte(path, ' ') >= 0 || !strings.HasPrefix(path, "/") {
		return "", "", ErrPath
	}
	path, err = decodeUnreserved(path)
	if err != nil {
		return "", "", err
	}
	for rest, more := path[1:], true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if segment == "." || segment == ".." || segment == "" && more {
			return "", "", ErrPath
		}
	}
	return path, query, nil
}

func decodeUnreserved(path string) (string, error) {
	var buffers [2][256]byte                   // longer ones are allocated
	out, raw := buffers[0][:0], buffers[1][:0] // raw is the path fully decoded, for the UTF-8 check
	for i := 0; i < len(path); i++ {
		c := path[i]
		if c != '%' {
			if isForbidden(c) {
				return "", ErrPath
			}
			out, raw = append(out, c), append(raw, c)
			continue
		}
		if i+2 >= len(path) {
			return "", ErrPath
		}
		hi, lo := unhex(path[i+1]), unhex(path[i+2])
		if hi < 0 || lo < 0 {
			return "", ErrPath
		}
		c = byte(hi<<4 | lo)
		if isForbidden(c) || c == '/' {
			return "", ErrPath
		}
		if isUnreserved(c) {
			out = append(out, c)
		} else {
			out = append(out, path[i:i+3]...)
		}
		raw = append(raw, c)
		i += 2
	}
	if !utf8.Valid(raw) {
		return "", ErrPath
	}
	if len(out) == len(path) {
		return path, nil // nothing was decoded
	}
	return string(out), nil
}

// isForbidden holds for characters that may not stand in a path, encoded or not.
func isForbidden(c byte) bool {
	return c < 0x20 || c == 0x7f || c == '\\' || c == ';'
}

func isUnreserved(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	default:
		return c == '-' || c == '.' || c == '_' || c == '~'
	}
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	default:
		return -1
	}
}
