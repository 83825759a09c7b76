#!/bin/sh
# between.sh: draws between.png beside itself, ways between images of the embedded model: from image 2 to image 15 of the seed, and
# from a picture to a picture.  between.webp is the first of them as a film.
set -eu
. "$(dirname "$0")/begin.sh"
cd "$scratch"
"$build/ddpm" sample -q --between 2,15 --frames 12 --scale 1 -o images.png
"$build/ddpm" sample -q --index 3,6 --outdir f
rm f/manifest.jsonl
"$build/ddpm" sample -q --between f/image-000003.png,f/image-000006.png --sampler ode --frames 12 --scale 1 -o pictures.png
python3 - "$here/between.png" <<'PYTHON'
import sys
from PIL import Image
rows = [Image.open(name) for name in ("images.png", "pictures.png")]
sheet = Image.new("L", (rows[0].width, 66), 255)
for i, row in enumerate(rows):
    sheet.paste(row, (0, 34 * i))
sheet.resize((sheet.width * 2, sheet.height * 2), Image.NEAREST).save(sys.argv[1], optimize=True)
PYTHON
"$build/ddpm" sample -q --between 2,15 --frames 36 --scale 5 --force -o "$here/between.webp"
