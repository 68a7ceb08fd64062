// Command image writes a container image as an archive that `docker load`, `podman
// load`, `ctr images import` and `kind load image-archive` read. It needs no
// container engine and pulls no base image: the files given are all there is, so
// they must be static programs or bring their libraries.
//
//	image -o image.tar -name localhost/apikey-operator:dev program=/apikey-operator
//
// The same files make the same archive, byte for byte.
package main
