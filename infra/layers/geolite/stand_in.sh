#!/bin/sh
# Stands in for `aws` in the tests of publish.sh (infra/local/src/geolite/layer_tests.rs): writes down what it was asked, and
# answers with the file beside it that is named for the question: its first two words, and the function that it is about.
here=$(dirname "$0")
echo "$*" >>"$here/asked"
name=$1.$2
while [ $# -gt 0 ]; do
  case "$1" in
  --function-name) name=$name.$2 ;;
  --function-version) name=$name.$2 ;;
  esac
  shift
done
[ ! -e "$here/$name.fails" ] || { cat "$here/$name.fails" >&2; exit 254; }
[ ! -e "$here/$name" ] || exec cat "$here/$name"
