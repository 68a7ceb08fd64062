// Package protectedapi reports what became of a ProtectedAPI: whether auth
// servers can serve it, which of its hosts lead to it, whether credentials are
// kept from its upstream, and how many keys open it. It writes status only.
package protectedapi
