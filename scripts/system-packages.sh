#!/bin/sh
# Installs the Debian or Ubuntu packages that qsmflow builds and runs with; does nothing where all are there.
# Arguments name further packages that the caller's work needs.
set -eu

packages="libnifti-dev libpq-dev libcurl4-openssl-dev libpng-dev zlib1g-dev pkg-config postgresql postgresql-client $*"

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "This is not Debian or Ubuntu: install the equivalents of: $packages" >&2
    exit 0
fi

missing=""
for package in $packages; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || {
        echo "Missing packages:$missing. Become root and run: apt-get install$missing" >&2
        exit 1
    }
    as_root=sudo
fi
echo "Installing:$missing"
# The packaged server must not start a cluster of its own: qsmflow starts private ones. Whoever has a cluster, or a
# file of their own, keeps it.
clusters=/etc/postgresql-common/createcluster.conf
if [ ! -e "$clusters" ]; then
    $as_root mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" | $as_root tee "$clusters" >/dev/null
fi
$as_root apt-get update -q
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
