// Command image makes container images of static Go programs. It needs no container
// engine and pulls no base image: the files given are all there is.
//
// A release is an index of images for some platforms, and for each what its program is
// made of, as SPDX: written as an OCI layout, or pushed to a registry, where the SBOM
// refers to its image:
//
//	image -name registry.example/apikey-operator:v1 -version v1 -platforms linux/amd64,linux/arm64 \
//		-oci image.oci.tar -sbom . -push '{os}-{arch}/apikey-operator=/apikey-operator'
//
// The image of one architecture as an archive that every `docker load`, `podman load`,
// `ctr images import` and `kind load image-archive` reads; without -version its files
// may be anything, and must bring their libraries:
//
//	image -name localhost/apikey-operator:dev -o image.tar -arch amd64 program=/apikey-operator
//
// The same files make the same archives, byte for byte.
package main
