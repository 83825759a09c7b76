#!/bin/sh
# sheet.sh: draws sheet.png beside itself, a contact sheet of images of the embedded model.
set -eu
. "$(dirname "$0")/begin.sh"
cd "$scratch"
"$build/ddpm" sample -q --index 0-11 --outdir images
"$build/ddpm" sheet -q images --columns 6 --scale 2 --captions --force -o "$here/sheet.png"
