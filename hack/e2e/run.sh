#!/bin/sh
# `make test-e2e`: runs the tests of this package on the cluster of KUBECONFIG, or on
# a node that lives as long as they do. IMAGE and MAKE come from the Makefile.
#
#   run.sh           all of it
#   run.sh why-not   says why no node can be started here; nothing, if one can
#   run.sh down      takes down the node in E2E_RUN, if this script couldn't any more
#
# NODE_KIT is the folder of the node's scripts, NODE_DIR what they build into, once a
# machine, E2E_RUN the folder of the running node.
set -eu
cd "$(dirname "$0")/../.."
: "${MAKE:=make}" "${IMAGE:=localhost/apikey-operator:dev}" "${NODE_KIT:=../shared/node}"
NODE_DIR=${NODE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/apikey-operator/node}
RUN=${E2E_RUN:-$NODE_DIR/e2e-$$}
export IMAGE NODE_DIR RUN
kit() { script=$1; shift; bash "$NODE_KIT/$script.sh" "$@"; }

why_not() {
	[ "$(uname -s)" = Linux ] || { echo "a node needs Linux"; return; }
	[ "$(id -u)" = 0 ] || echo "a node needs root"
	[ -x "$NODE_KIT/up.sh" ] || echo "$NODE_KIT/up.sh is missing (NODE_KIT names the folder)"
	grep -q ':memory:' /proc/self/cgroup || echo "a node needs cgroup v1 with its memory controller"
	grep -qw overlay /proc/filesystems || echo "a node needs overlayfs"
	for tool in bash openssl curl ip sysctl nsenter unshare setsid awk apt-get dpkg-deb ldd; do
		command -v $tool >/dev/null || echo "$tool is missing"
	done
	unshare --mount --uts --ipc --net --cgroup --pid --fork true 2>/dev/null || echo "namespaces can't be made here"
}
case ${1:-} in
why-not) why_not; exit ;;
down) [ ! -d "$RUN" ] || kit down; exit ;;
esac

# As `make image` builds: what is compiled once serves both.
tests() { CGO_ENABLED=0 go test -trimpath -tags e2e -count=1 -timeout "$1" -v ./hack/e2e/; }

if [ -n "${KUBECONFIG:-}" ]; then
	"$MAKE" --no-print-directory dist
	tests 30m
	exit
fi

reasons=$(why_not)
if [ -n "$reasons" ]; then
	echo "no KUBECONFIG, and no node can be started here:" >&2
	echo "$reasons" | sed 's/^/  /' >&2
	exit 1
fi
started=$(date +%s)
say() { echo "[$(($(date +%s) - started)) s] $*"; }

# Debian's containerd and no DNS: two builds less, and the tests need neither.
HOST_PORT=$((17000 + $$ % 1000))
until curl -s -o /dev/null --max-time 1 "http://127.0.0.1:$HOST_PORT" || [ $? = 7 ]; do HOST_PORT=$((HOST_PORT + 1)); done
export HOST_PORT CONTAINERD=1 NO_DNS=1

end() {
	status=$?
	trap - EXIT
	if [ $status != 0 ] && [ -d "$RUN/log" ]; then
		rm -rf .dev/e2e && mkdir -p .dev && cp -r "$RUN/log" .dev/e2e && say "the node's logs are in .dev/e2e"
	fi
	kit down
	exit $status
}
trap end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

kit build
say "the node is built"
"$MAKE" --no-print-directory image dist e2e-image
say "the images are built"
kit up
for archive in dist/apikey-operator-image.tar dist/e2e-image.tar; do
	kit in-node "$NODE_DIR/deb/usr/bin/ctr" -a /run/containerd/containerd.sock -n k8s.io images import "$PWD/$archive"
done
say "the node is up and has the images"
# The node's kubectl, where there is no other; kubelet updates a volume within 3 s.
PATH=$PATH:$NODE_DIR/bin KUBECONFIG=$RUN/kubeconfig E2E_NODE=1 E2E_OVERLAP=${E2E_OVERLAP:-20s} tests 10m
say "done"
