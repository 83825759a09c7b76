#!/bin/sh
# sizes.sh: draws sizes.png beside itself: above, images of the embedded model at its own size and at others; below, a picture and
# what --strength 0.2, 0.4, 0.6, 0.8 and 1 make of it.  python3 with Pillow joins them.
set -eu
. "$(dirname "$0")/begin.sh"
cd "$scratch"
for size in 32x32 32x48 48x32 48x48; do "$build/ddpm" sample -q --index 2 --size $size -o $size.png; done
"$build/ddpm" sample -q --index 3 -o a.png
for s in 0.2 0.4 0.6 0.8 1; do "$build/ddpm" sample -q -n 1 --from a.png --strength $s -o $s.png; done
python3 - "$here/sizes.png" <<'PYTHON'
import sys
from PIL import Image
rows = ["32x32", "32x48", "48x32", "48x48"], ["a", "0.2", "0.4", "0.6", "0.8", "1"]
sheet = Image.new("L", (202, 82), 255)
for row, names in enumerate(rows):
    x = 0
    for name in names:
        image = Image.open(name + ".png")
        sheet.paste(image, (x, 50 * row))
        x += image.width + 2
sheet.resize((sheet.width * 3, sheet.height * 3), Image.NEAREST).save(sys.argv[1], optimize=True)
PYTHON
