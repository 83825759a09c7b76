#!/bin/sh
# transparent.sh: draws transparent.png beside itself: images of a small model of four channels, by the names of its classes, upon a
# chessboard that shows where they are transparent.  It trains the model first, on folders of discs, squares and crosses; python3 with
# Pillow makes them and joins the images.
set -eu
. "$(dirname "$0")/begin.sh"
cd "$scratch"
python3 - <<'PYTHON'
import os, random
from PIL import Image, ImageDraw
random.seed(1)
for name, colour in ("disc", (220, 60, 50)), ("square", (60, 120, 220)), ("cross", (70, 170, 80)):
    os.makedirs("shapes/" + name)
    for i in range(300):
        # Eight times as large first, so that the edges are partly transparent.
        image = Image.new("RGBA", (128, 128), colour + (0,))
        draw = ImageDraw.Draw(image)
        x, y, r = random.randint(50, 78), random.randint(50, 78), random.randint(28, 48)
        if name == "disc":
            draw.ellipse((x - r, y - r, x + r, y + r), colour + (255,))
        elif name == "square":
            draw.rectangle((x - r, y - r, x + r, y + r), colour + (255,))
        else:
            draw.rectangle((x - r, y - r // 3, x + r, y + r // 3), colour + (255,))
            draw.rectangle((x - r // 3, y - r, x + r // 3, y + r), colour + (255,))
        image.resize((16, 16), Image.BOX).save(f"shapes/{name}/{i:03}.png")
PYTHON
"$build/ddpm" train shapes -o shapes.ddpm --set net.channels=4 --set net.height=16 --set net.width=16 --set net.classes=3 \
	--set net.widths=16,32 --set net.blocks=1 --set net.norm.groups=8 --set batch=16 --set lr=1e-3 --set warmup=50 --set ema=0.99 \
	--steps "${STEPS:-1500}" --holdout 0 --grid-every 0 -q
"$build/ddpm" sample -q -m shapes.ddpm --class disc,square,cross -n 12 --seed 4 --steps 30 --outdir images
python3 - "$here/transparent.png" <<'PYTHON'
import sys
from PIL import Image
scale, side = 4, 16
sheet = Image.new("RGB", (12 * (side + 2) * scale, side * scale), (255, 255, 255))
for i in range(12):
    image = Image.open(f"images/image-{i:06}.png").resize((side * scale, side * scale), Image.NEAREST)
    board = Image.new("RGBA", image.size)
    board.putdata([(200,) * 3 + (255,) if (x // 8 + y // 8) % 2 else (240,) * 3 + (255,)
                   for y in range(side * scale) for x in range(side * scale)])
    sheet.paste(Image.alpha_composite(board, image).convert("RGB"), (i * (side + 2) * scale, 0))
sheet.save(sys.argv[1], optimize=True)
PYTHON
