//go:build tools

// Package etcd pins the store of the development cluster.
package etcd

import _ "go.etcd.io/etcd/server/v3"
