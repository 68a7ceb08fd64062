// Command image packs what the e2e tests' Pods run into one image archive: caller,
// upstream, and Envoy with the shared libraries that it is linked to here.
//
//	go run ./hack/e2e/image -o dist/e2e-image.tar -name localhost/apikey-operator-e2e:dev
package main
