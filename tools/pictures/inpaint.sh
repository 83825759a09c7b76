#!/bin/sh
# inpaint.sh: draws inpaint.png beside itself: an image of the embedded model, a mask, and three images each whose white half was
# painted anew without and with jumps back.  python3 with Pillow joins them.
set -eu
. "$(dirname "$0")/begin.sh"
cd "$scratch"
"$build/ddpm" sample -q --index 3 -o a.png
python3 -c 'from PIL import Image; m = Image.new("L", (32, 32)); m.paste(255, (16, 0, 32, 32)); m.save("half.png")'
"$build/ddpm" sample -q -n 3 --from a.png --mask half.png --resample 1 --outdir once
"$build/ddpm" sample -q -n 3 --from a.png --mask half.png --outdir often
python3 - "$here/inpaint.png" <<'PYTHON'
import glob, sys
from PIL import Image
files = ["a.png", "half.png"] + sorted(glob.glob("once/*.png")) + sorted(glob.glob("often/*.png"))
sheet = Image.new("L", (34 * len(files) - 2, 32), 255)
for i, file in enumerate(files):
    sheet.paste(Image.open(file), (34 * i, 0))
sheet.resize((sheet.width * 3, sheet.height * 3), Image.NEAREST).save(sys.argv[1], optimize=True)
PYTHON
