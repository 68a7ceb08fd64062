// Package forwardauth is the door for proxies that ask over HTTP: nginx's
// auth_request, Traefik's ForwardAuth, Caddy's forward_auth, Envoy's ext_authz
// over HTTP, and HAProxy. Each has a path of its own,
//
//	/authorize/<convention>[/<namespace>/<api>][?scopes=a,b]
//
// under which only the headers are read that this proxy overwrites. To all of
// them 2xx means allow, so no denial is ever 2xx. What a client sees is another
// thing: a proxy that doesn't pass our response on asks for it at /denial.
package forwardauth
