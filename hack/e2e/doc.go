// Package e2e tests the operator as users run it: as Pods, from the image and the
// manifests that `make image dist` makes, with a workload that mounts a key's Secret
// and calls through Envoy while the key is rotated.
//
// `make test-e2e` runs it (build tag e2e). run.sh finds or starts the cluster; the
// tests know a kubeconfig only:
//
//	KUBECONFIG    the cluster; unset, run.sh starts a node
//	IMAGE         the operator's image, default localhost/apikey-operator:dev
//	E2E_OVERLAP   spec.rotation.overlap, default 3m: longer than a kubelet with its
//	              default settings takes to update a volume. run.sh's node takes 3 s
//	              at most, and gets 20s.
//
// On a cluster of your own the images must be there: `make image e2e-image`, then load
// dist/apikey-operator-image.tar and dist/e2e-image.tar (kind load image-archive, k3s
// ctr images import), or push the first and name it by IMAGE. What is applied is
// deleted in the end, the kinds and with them every APIKey included: so the tests
// refuse a cluster that has the kinds already.
package e2e
