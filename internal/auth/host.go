package auth

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// ErrHost is returned for a host that is neither a DNS name nor an IP address.
var ErrHost = errors.New("host is neither a DNS name nor an IP address")

// NormalizeHost returns a host without its port and trailing dot, in lower case.
// An IPv6 address keeps its brackets.
func NormalizeHost(host string) (string, error) {
	if name, ok := plainHost(host); ok {
		return name, nil
	}
	return normalizeHost(host)
}

// plainHost takes the port off a name that is normal otherwise, as nearly all are.
func plainHost(host string) (name string, ok bool) {
	name = host
	before := byte('.')
	for i := range len(host) {
		c := host[i]
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_':
		case (c == '-' || c == '.') && before != '.':
		case c == ':' && validPort(host[i:]):
			name = host[:i]
		default:
			return "", false
		}
		if c == ':' {
			break
		}
		before = c
	}
	return name, before != '.' && len(name) <= maxHost
}

// maxHost is the length of the longest DNS name.
const maxHost = 253

func normalizeHost(host string) (string, error) {
	name := host
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 || !validPort(host[end+1:]) {
			return "", ErrHost
		}
		addr, err := netip.ParseAddr(host[1:end])
		if err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", ErrHost
		}
		return "[" + addr.String() + "]", nil
	}
	if i := strings.IndexByte(host, ':'); i >= 0 {
		if !validPort(host[i:]) {
			return "", ErrHost
		}
		name = host[:i]
	}
	name = strings.TrimSuffix(name, ".")
	if len(name) == 0 || len(name) > maxHost {
		return "", ErrHost
	}
	for i := range len(name) {
		c := name[i]
		label := i > 0 && name[i-1] != '.'
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		case c == '-' && label:
		case c == '.' && label && i+1 < len(name):
		default:
			return "", ErrHost
		}
	}
	return strings.ToLower(name), nil
}

// validPort accepts nothing, or ":" and a number of up to 65535.
func validPort(s string) bool {
	if s == "" {
		return true
	}
	if s[0] != ':' || len(s) > len(":65535") {
		return false
	}
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	n, err := strconv.Atoi(s[1:])
	return s == ":" || err == nil && n <= 65535
}
