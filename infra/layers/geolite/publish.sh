#!/usr/bin/env bash
# Gives a deployed stack a new GeoLite2 City, and destroys the old copies, as MaxMind's licence wants it within 30 days of
# each release:
#
#   publish.sh [--dry-run] STACK (FILE | --license-key)
#
#   1. makes the layer (make.sh) and publishes it as the next version of STACK-geolite
#   2. puts that version into the stack's parameter GeoLiteLayer, all others as they were, and waits
#   3. deletes the versions of the stack's functions that still have an older layer in them, unless an alias leads there:
#      then it stops and says so
#   4. deletes the older versions of the layer, and the folder that the new one was zipped from
#
# MaxMind publishes on Tuesdays and Fridays: run it twice a week. It may be run again after it stopped. `--dry-run` asks the
# account what there is, changes nothing, and tells what would be done. Credentials are those of `aws`; it needs no more
# rights than the deployment.
set -euo pipefail

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
dry=""
[ "${1:-}" = --dry-run ] && { dry=yes; shift; }
[ $# = 2 ] || usage
stack=$1 from=$2
here=$(cd "$(dirname "$0")" && pwd)
region=us-east-1
layer=$stack-geolite
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

ask() { aws "$@" --region "$region" --output text; }
# What changes something: told, and done unless this is a dry run.
change() {
  echo "$1"
  shift
  [ -n "$dry" ] || aws "$@" --region "$region" >/dev/null
}
# A list that `aws` writes between tabs, or `None`, a line each.
each() { tr '\t' '\n' | sed '/^None$/d; /^$/d'; }

parameters=$(ask cloudformation describe-stacks --stack-name "$stack" \
  --query 'Stacks[0].Parameters[].ParameterKey' | each)
grep -qx GeoLiteLayer <<<"$parameters" || {
  echo "the stack $stack has no parameter GeoLiteLayer: deploy it with the present template first" >&2
  exit 1
}

# 1
if [ -n "$dry" ]; then
  arn=arn:aws:lambda:$region:000000000000:layer:$layer:NEW
  echo "would publish $from as the next version of $layer"
else
  OUT=$out/layer "$here/make.sh" "$from"
  (cd "$out/layer" && python3 -m zipfile -c "$out/layer.zip" geolite)
  arn=$(ask lambda publish-layer-version --layer-name "$layer" --zip-file "fileb://$out/layer.zip" \
    --compatible-runtimes provided.al2023 --compatible-architectures arm64 \
    --description "GeoLite2 City by MaxMind (https://www.maxmind.com)" --query LayerVersionArn)
  echo "published $arn"
fi
newest=${arn##*:}

# 2
others=()
while read -r name; do
  [ -z "$name" ] || [ "$name" = GeoLiteLayer ] || others+=("ParameterKey=$name,UsePreviousValue=true")
done <<<"$parameters"
change "the stack $stack gets $arn" cloudformation update-stack --stack-name "$stack" --use-previous-template \
  --capabilities CAPABILITY_IAM CAPABILITY_NAMED_IAM CAPABILITY_AUTO_EXPAND \
  --parameters "ParameterKey=GeoLiteLayer,ParameterValue=$arn" "${others[@]}"
[ -n "$dry" ] || aws cloudformation wait stack-update-complete --stack-name "$stack" --region "$region"

# 3
old=$(ask lambda list-layer-versions --layer-name "$layer" --query 'LayerVersions[].Version' | each | sed "/^$newest\$/d")
functions=$(ask cloudformation list-stack-resources --stack-name "$stack" \
  --query "StackResourceSummaries[?ResourceType=='AWS::Lambda::Function'].PhysicalResourceId" | each)
held=""
for function in $functions; do
  versions=$(ask lambda list-versions-by-function --function-name "$function" \
    --query "Versions[?Layers[?contains(Arn, ':layer:$layer:')]].[Version, Layers[?contains(Arn, ':layer:$layer:')].Arn | [0]]")
  while read -r version has; do
    [ -n "$version" ] && [ "$version" != None ] || continue
    [ "${has##*:}" != "$newest" ] || continue
    if [ "$version" = "\$LATEST" ]; then
      # In a dry run the stack has not been updated.
      [ -n "$dry" ] || { echo "$function still has $has: the stack was not updated" >&2; held=yes; }
      continue
    fi
    aliases=$(ask lambda list-aliases --function-name "$function" --function-version "$version" \
      --query 'Aliases[].Name' | each)
    if [ -n "$aliases" ]; then
      echo "version $version of $function has $has in it, and the alias $aliases leads there: lead it elsewhere, and run this again" >&2
      held=yes
      continue
    fi
    change "version $version of $function goes: it has $has in it" \
      lambda delete-function --function-name "$function" --qualifier "$version"
  done <<<"$versions"
done

# 4
for version in $old; do
  change "version $version of $layer goes" \
    lambda delete-layer-version --layer-name "$layer" --version-number "$version"
done
[ -z "$held" ] || { echo "an old copy is still in a function: see above" >&2; exit 1; }
