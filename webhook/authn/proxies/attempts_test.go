package proxies

// attempts are made with a key for GET /api/public/budgets/**.
var attempts = []attempt{
	{"as it should be", request{}, "200 allowed, upstream: GET /api/public/budgets/7", nil},
	{"two slashes", request{target: "/api/public//budgets/7"}, "400 invalid_path", map[string]string{
		"traefik.yaml": "200 allowed, upstream: GET /api/public/budgets/7",
	}},
	{"two slashes at the start", request{target: "//api/public/budgets/7"}, "400 invalid_path", map[string]string{
		"traefik.yaml": "200 allowed, upstream: GET /api/public/budgets/7",
	}},
	{"two slashes at the end", request{target: "/api/public/budgets//"}, "400 invalid_path", map[string]string{
		"traefik.yaml": "200 allowed, upstream: GET /api/public/budgets/",
	}},
	{"a dot segment", request{target: "/api/public/./budgets/7"}, "400 invalid_path", map[string]string{
		"traefik.yaml": "200 allowed, upstream: GET /api/public/budgets/7",
	}},
	{"two dots, out of what is allowed", request{target: "/api/public/budgets/../../../admin"}, "400 invalid_path", map[string]string{
		"traefik.yaml": "403 insufficient_scope",
	}},
	{"two dots, into what is allowed", request{target: "/admin/../api/public/budgets/7"}, "400 invalid_path", map[string]string{
		"traefik.yaml": "200 allowed, upstream: GET /api/public/budgets/7",
	}},
	{"two dots at the end", request{target: "/api/public/budgets/.."}, "400 invalid_path", map[string]string{
		"traefik.yaml": "403 route_not_allowed",
	}},
	{"two dots above the root", request{target: "/../../api/public/budgets/7"}, "400 invalid_path", map[string]string{
		"nginx.conf":   "400",
		"traefik.yaml": "200 allowed, upstream: GET /api/public/budgets/7",
	}},
	{"an encoded slash", request{target: "/api/public/budgets%2f7"}, "400 invalid_path", nil},
	{"encoded slashes and dots", request{target: "/api/public/budgets/..%2f..%2f..%2fadmin"}, "400 invalid_path", nil},
	{"a backslash", request{target: `/api/public/budgets/..\..\..\admin`}, "400 invalid_path", nil},
	{"an encoded backslash", request{target: "/api/public/budgets/..%5c..%5c..%5cadmin"}, "400 invalid_path", nil},
	{"encoded dots", request{target: "/api/public/budgets/%2e%2e/%2e%2e/%2e%2e/admin"}, "400 invalid_path", map[string]string{
		"traefik.yaml": "403 insufficient_scope",
	}},
	{"half encoded dots", request{target: "/api/public/budgets/.%2e/%2E./.%2e/admin"}, "400 invalid_path", map[string]string{
		"traefik.yaml": "403 insufficient_scope",
	}},
	{"dots encoded twice", request{target: "/api/public/budgets/%252e%252e/admin"}, "200 allowed, upstream: GET /api/public/budgets/%252e%252e/admin", nil},
	{"a semicolon", request{target: "/api/public/budgets;x=1/7"}, "400 invalid_path", nil},
	{"a semicolon after dots", request{target: "/api/public/budgets/..;/..;/..;/admin"}, "400 invalid_path", nil},
	{"an encoded semicolon", request{target: "/api/public/budgets/..%3b/admin"}, "400 invalid_path", nil},
	{"an encoded NUL", request{target: "/api/public/budgets/7%00"}, "400 invalid_path", map[string]string{
		"nginx.conf": "400",
	}},
	{"a NUL", request{target: "/api/public/budgets/7\x00"}, "400", nil},
	{"an encoded line feed", request{target: "/api/public/budgets/7%0d%0aX-Apikey-Name:%20admin"}, "400 invalid_path", nil},
	{"overlong dots", request{target: "/api/public/budgets/%c0%ae%c0%ae/admin"}, "400 invalid_path", nil},
	{"an overlong slash", request{target: "/api/public/budgets/..%c0%afadmin"}, "400 invalid_path", nil},
	{"UTF-8 that isn't encoded", request{target: "/api/public/budgets/ü"}, "400", map[string]string{
		"nginx.conf": "200 allowed, upstream: GET /api/public/budgets/ü",
		"Caddyfile":  "200 allowed, upstream: GET /api/public/budgets/%C3%BC", "traefik.yaml": "200 allowed, upstream: GET /api/public/budgets/%C3%BC",
	}},
	{"a byte that isn't UTF-8", request{target: "/api/public/budgets/\xff"}, "400", map[string]string{
		"nginx.conf": "400 invalid_path", "Caddyfile": "400 invalid_path", "traefik.yaml": "400 invalid_path",
	}},
	{"a fragment", request{target: "/api/public/budgets/7#/../../admin"}, "400", map[string]string{
		"nginx.conf": "400 invalid_path", "Caddyfile": "400 invalid_path",
	}},
	{"a fragment after a query", request{target: "/api/public/budgets/7?x#/../../admin"}, "400", map[string]string{
		"nginx.conf": "400 invalid_path", "Caddyfile": "400 invalid_path", "traefik.yaml": "400 invalid_path",
	}},
	{"an encoded fragment", request{target: "/api/public/budgets/7%23x"}, "200 allowed, upstream: GET /api/public/budgets/7%23x", nil},
	{"an encoded question mark", request{target: "/api/public/budgets/7%3fx=y"}, "200 allowed, upstream: GET /api/public/budgets/7%3fx=y", map[string]string{
		"traefik.yaml": "200 allowed, upstream: GET /api/public/budgets/7%3Fx=y",
	}},
	{"a malformed escape", request{target: "/api/public/budgets/7%zz"}, "400", map[string]string{
		"envoy.yaml": "400 invalid_path", "haproxy.cfg": "400 invalid_path",
	}},
	{"half an escape", request{target: "/api/public/budgets/7%2"}, "400", map[string]string{
		"envoy.yaml": "400 invalid_path", "haproxy.cfg": "400 invalid_path",
	}},
	{"a space", request{target: "/api/public/budgets/7 8"}, "400", nil},
	{"an encoded letter", request{target: "/api/public/%62udgets/7"}, "200 allowed, upstream: GET /api/public/%62udgets/7", map[string]string{
		"traefik.yaml": "200 allowed, upstream: GET /api/public/budgets/7",
	}},
	{"an encoded letter of what isn't allowed", request{target: "/%61dmin"}, "403 insufficient_scope", nil},
	{"another case", request{target: "/API/public/budgets/7"}, "403 route_not_allowed", nil},
	{"a path in the query", request{target: "/api/public/budgets/7?/../../../admin;x=//%2f%00"}, "200 allowed, upstream: GET /api/public/budgets/7?/../../../admin;x=//%2f%00", map[string]string{
		"traefik.yaml": "200 allowed, upstream: GET /api/public/budgets/7?/../../../admin&x=//%2f%00",
	}},
	{"no slash at the start", request{target: "api/public/budgets/7"}, "400", map[string]string{
		"haproxy.cfg": "400 invalid_path",
	}},
	{"an asterisk", request{method: "OPTIONS", target: "*"}, "404", map[string]string{
		"nginx.conf": "400",
		"Caddyfile":  "200", "traefik.yaml": "200",
		"haproxy.cfg": "400 invalid_path",
	}},
	{"an authority", request{method: "CONNECT", target: "api.billoget.com:443"}, "404", map[string]string{
		"nginx.conf":   "400",
		"Caddyfile":    "403 route_not_allowed",
		"traefik.yaml": "501",
		"haproxy.cfg":  "400 invalid_path",
	}},

	{"absolute form", request{target: "http://api.billoget.com/api/public/budgets/7"}, "200 allowed, upstream: GET /api/public/budgets/7", map[string]string{
		"haproxy.cfg": "200 allowed, upstream: GET http://api.billoget.com/api/public/budgets/7",
	}},
	{"absolute form of what isn't allowed", request{target: "http://api.billoget.com/admin"}, "403 insufficient_scope", nil},
	{"absolute form of another host", request{target: "http://shop.example/api/public/budgets/7"}, "401 malformed_credential", map[string]string{
		"envoy-http.yaml": "200 allowed, upstream: GET /api/public/budgets/7",
		"haproxy.cfg":     "400",
	}},
	{"absolute form, and another Host", request{target: "http://api.billoget.com/api/public/budgets/7", host: "shop.example"}, "200 allowed, upstream: GET /api/public/budgets/7", map[string]string{
		"haproxy.cfg": "400",
	}},
	{"absolute form with a user", request{target: "http://api.billoget.com@shop.example/api/public/budgets/7"}, "401 malformed_credential", map[string]string{
		"envoy-http.yaml": "200 allowed, upstream: GET /api/public/budgets/7",
		"nginx.conf":      "400", "haproxy.cfg": "400",
	}},
	{"absolute form without a path", request{target: "http://api.billoget.com"}, "403 route_not_allowed", nil},
	{"absolute form of another scheme", request{target: "https://api.billoget.com/api/public/budgets/7"}, "200 allowed, upstream: GET /api/public/budgets/7", map[string]string{
		"envoy.yaml": "403", "envoy-http.yaml": "403",
		"haproxy.cfg": "200 allowed, upstream: GET https://api.billoget.com/api/public/budgets/7",
	}},

	{"a dot after the host", request{host: "api.billoget.com."}, "200 allowed, upstream: GET /api/public/budgets/7", nil},
	{"a host in upper case", request{host: "API.BILLOGET.COM"}, "200 allowed, upstream: GET /api/public/budgets/7", nil},
	{"a port after the host", request{host: "api.billoget.com:8080"}, "200 allowed, upstream: GET /api/public/budgets/7", nil},
	{"a dot and a port after the host", request{host: "API.billoget.com.:80"}, "200 allowed, upstream: GET /api/public/budgets/7", nil},
	{"two dots after the host", request{host: "api.billoget.com.."}, "400 invalid_host", map[string]string{
		"envoy.yaml": "200 allowed, upstream: GET /api/public/budgets/7",
		"nginx.conf": "400",
	}},
	{"a wrong port after the host", request{host: "api.billoget.com:80x"}, "400 invalid_host", map[string]string{
		"nginx.conf": "200 allowed, upstream: GET /api/public/budgets/7",
	}},
	{"a user before the host", request{host: "shop.example@api.billoget.com"}, "400", map[string]string{
		"envoy.yaml": "400 invalid_host", "nginx.conf": "400 invalid_host",
	}},
	{"another host", request{host: "shop.example"}, "401 malformed_credential", map[string]string{
		"envoy-http.yaml": "200 allowed, upstream: GET /api/public/budgets/7",
	}},
	{"two hosts", request{fields: []string{"Host: shop.example"}}, "400", map[string]string{
		"envoy.yaml": "400 invalid_host", "envoy-http.yaml": "400 invalid_host",
	}},

	{"a method in a header", request{fields: []string{"X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE"}}, "200 allowed, upstream: GET /api/public/budgets/7", nil},
	{"a method that is allowed in a header", request{method: "DELETE", fields: []string{"X-HTTP-Method-Override: GET", "X-HTTP-Method: GET", "X-Method-Override: GET"}}, "403 insufficient_scope", nil},
	{"a method in the query", request{target: "/api/public/budgets/7?_method=DELETE"}, "200 allowed, upstream: GET /api/public/budgets/7?_method=DELETE", nil},
	{"a method in lower case", request{method: "get"}, "400", map[string]string{
		"Caddyfile": "403 insufficient_scope", "traefik.yaml": "403 insufficient_scope", "haproxy.cfg": "403 insufficient_scope",
	}},
	{"a method that nobody knows", request{method: "BREW"}, "403 insufficient_scope", map[string]string{
		"envoy.yaml": "400", "envoy-http.yaml": "400",
	}},
	{"TRACE", request{method: "TRACE"}, "403 insufficient_scope", map[string]string{
		"nginx.conf": "405",
	}},
}
