#!/usr/bin/env bash
# Looks at the template as a deployment would, without an account and without a call that leaves the machine:
#
#   1. what is written                 sam validate --lint
#   2. what SAM makes of it            translated.py
#   3. that 2 finds what it has to     broken.py
#   4. what is unwise                  checkov, less what checkov.yaml gives a reason for
#
# Each finds what the others pass. `lint.sh quick` leaves out the last, which is the largest to install.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
tools=$root/.tools
source "$here/../environment.sh"
cd "$root"

export PYTHONDONTWRITEBYTECODE=1 SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 AWS_EC2_METADATA_DISABLED=true
# Whoever runs this may be at home in a real account: nothing here has any business there.
unset AWS_PROFILE AWS_SESSION_TOKEN
export AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none

environment sam aws-sam-cli==1.170.0 aws-sam-translator==1.115.0 cfn-lint==1.58.0
timeout 120 "$tools/sam/bin/sam" validate --lint --template template.yaml
timeout 120 "$tools/sam/bin/python" "$here/translated.py" template.yaml
timeout 300 "$tools/sam/bin/python" "$here/broken.py" template.yaml
[ "${1:-}" = quick ] && exit

environment checkov checkov==3.3.30
timeout 120 "$tools/checkov/bin/checkov" --config-file "$here/checkov.yaml" --file template.yaml
