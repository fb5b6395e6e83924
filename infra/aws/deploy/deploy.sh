#!/usr/bin/env bash
# Deploys what `package.sh` built into the account of the AWS credentials that are set, after showing what will change.
# Asks for what samconfig.toml does not say. Arguments go to `sam deploy`.
#
# To remove it: `sam delete --stack-name nexus --region us-east-1`. That leaves what nobody should lose by a slip, and
# what goes on costing (the key: a dollar a month): the table, the bucket, the key and the user pool; and what the stack
# never made: tokens, salts and vendors' keys in Parameter Store, the GeoLite layer, SAM's own bucket. Each is removed
# by hand, in this order, once nothing in it is wanted:
#
#   aws ssm get-parameters-by-path --path /nexus/STAGE --recursive --query 'Parameters[].Name' --output text |
#     xargs -n 10 aws ssm delete-parameters --names
#   aws lambda list-layer-versions --layer-name nexus-geolite       then delete-layer-version for each
#   aws dynamodb update-table --table-name TABLE --no-deletion-protection-enabled
#   aws dynamodb delete-table --table-name TABLE
#   aws s3api delete-objects …        of every version; the console's "Empty" does that
#   aws s3 rb s3://BUCKET
#   aws cognito-idp update-user-pool --user-pool-id POOL --deletion-protection INACTIVE
#   aws cognito-idp delete-user-pool --user-pool-id POOL
#   aws kms schedule-key-deletion --key-id KEY --pending-window-in-days 30
#   sam's bucket (`aws-sam-cli-managed-default…`), if nothing else is deployed with it
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
tools=$root/.tools
source "$here/../environment.sh"

out=${CARGO_TARGET_DIR:-$root/target}/lambda
[ -f "$out/template.yaml" ] || { echo "nothing is built: \`make package\` first" >&2; exit 1; }
while read -r zip; do
  [ -f "$out/$zip" ] || { echo "$zip is not built: \`make package\` builds all" >&2; exit 1; }
done < <(sed -n 's/^ *CodeUri: //p' "$out/template.yaml" | sort -u)

environment sam aws-sam-cli==1.170.0 aws-sam-translator==1.115.0 cfn-lint==1.58.0
export SAM_CLI_TELEMETRY=0
exec "$tools/sam/bin/sam" deploy --guided --template-file "$out/template.yaml" \
  --config-file "$root/samconfig.toml" "$@"
