#!/bin/sh
# Rotates the keys of this directory from a pipeline, and waits until it is done:
#
#     sh rotate.sh 2026-12
#
# The commit is all that rotates. Run in a checkout of the repository, with a
# kubeconfig that may get and watch APIKeys.
set -eu

trigger=$1
key=storefront
namespace=shop

sed -i.old "s/^  value: .*/  value: \"$trigger\"/" keys/rotation.yaml
rm keys/rotation.yaml.old
git commit --quiet --message "Rotate $key: $trigger" keys/rotation.yaml
git push --quiet

until_is() { # jsonpath value
	kubectl wait "apikey/$key" --namespace "$namespace" --timeout 15m --for "jsonpath=$1=$2"
}
# Argo CD or Flux has applied the commit, and the rotation has begun. In an overlap it
# begins when that ends: give it that long.
until_is "{.status.observedTriggers[?(@=='$trigger')]}" "$trigger"
# The new key is in the Secret; the one before is accepted for the overlap.
until_is "{.status.keys[0].phase}" Current
# Every auth server knows until when.
kubectl wait "apikey/$key" --namespace "$namespace" --timeout 1m --for condition=Propagated
