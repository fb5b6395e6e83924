#!/bin/sh
# Stands in for `aws` in the tests of account.rs: answers with the file beside it that is named for the question, or
# fails with what `….fails` holds, or does not answer where there is `….hangs`.
here=$(dirname "$0")
echo "$*" >>"$here/asked"
question=$1.$2
case "$4" in /*) question=$question.$(basename "$4") ;; esac
[ -e "$here/$question.hangs" ] && exec sleep 600
if [ -e "$here/$question.fails" ]; then
  cat "$here/$question.fails" >&2
  exit 254
fi
exec cat "$here/$question"
