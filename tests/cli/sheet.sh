# sheet.sh: contact sheets.  Sourced by run.sh.

# same_pixels A B: both PNGs, which one program wrote, have the same bytes from their pixels on.
same_pixels() {
	for file in "$1" "$2"; do
		at=$(grep -abo IDAT "$file" | head -n 1 | cut -d : -f 1)
		tail -c +"$((at + 1))" "$file" >"pixels-$(basename "$file")"
	done
	cmp -s "pixels-$(basename "$1")" "pixels-$(basename "$2")"
}

# The sheet of a folder is the grid that ddpm sample would have made of it.
test_sheet_of_folder() {
	ddpm sample -q -n 7 --steps 3 --outdir f && ddpm sample -q -n 7 --steps 3 -o grid.png || fail sample
	expect 0 ddpm sheet f; says 'wrote sheet.png: 7 images'
	same_pixels grid.png sheet.png || fail 'the sheet is not the grid'
	expect 0 ddpm sheet -q f/image-00000[0-3].png f/image-000004.png,f/image-000005.png f/image-000006.png -o list.png
	same_pixels grid.png list.png || fail 'a list is not the folder'
	ddpm sample -q --between 0,1 --frames 3 --steps 3 --outdir w && ddpm sample -q --between 0,1 --frames 3 --steps 3 --scale 2 -o row.png || fail sample
	expect 0 ddpm sheet -q w --columns 3 --scale 2 -o sheet.png --force
	same_pixels row.png sheet.png || fail 'three columns at scale 2'
	expect 0 ddpm sheet --json w -o other.png; prints '{"wrote":"other.png","images":3,"lost":0}'
	expect 0 ddpm sheet -q "$top/tests/golden/data/pictures" f -o all.png
	expect 0 ddpm sheet "$top/tests/golden/data/pictures/alpha.webp" -o clear.png; says '1 of the pictures are shown without their transparency'
}

test_sheet_captions() {
	ddpm sample -q --index 7 --steps 3 --outdir f && mkdir -p g/shoe h/bag && cp f/image-000007.png a.png && cp a.png b.png || fail sample
	other_settings b.png 's/"indices":\[7]/"indices":[3]/' || fail settings
	for name in a b; do
		ddpm sheet -q $name.png -o plain-$name.png && ddpm sheet -q $name.png --scale 2 --captions -o caption-$name.png || fail sheet
	done
	same_pixels plain-a.png plain-b.png || fail 'the pixels are the same'
	! same_pixels caption-a.png caption-b.png || fail 'the captions are those of 7 and 3'
	cp a.png g/shoe; cp a.png h/bag
	ddpm sheet -q g --captions --scale 2 -o g.png && ddpm sheet -q h --captions --scale 2 -o h.png || fail sheet
	! same_pixels g.png h.png || fail 'the captions are those of shoe and bag'
	! same_pixels g.png caption-a.png || fail 'the caption of a class'
}

test_sheet_refuses() {
	ddpm sample -q -n 2 --steps 2 --outdir f && cp f/image-000000.png a.png && mkdir empty || fail sample
	cksum f/* a.png >before
	expect 64 ddpm sheet
	expect 64 ddpm sheet f -o f/sheet.png; says 'of which every picture is taken'
	expect 64 ddpm sheet f -o f/deep/sheet.png
	expect 64 ddpm sheet a.png -o a.png --force; says 'one of the pictures'
	expect 64 ddpm sheet f -o a.jpg; says 'name it .png'
	expect 73 ddpm sheet f -o a.png; says '--force'
	expect 65 ddpm sheet empty; says '0 pictures'
	expect 66 ddpm sheet absent.png f
	head -c 200 a.png >cut.png; expect 65 ddpm sheet f cut.png
	expect 64 ddpm sheet f -o - --json
	[ ! -w /dev/full ] || expect 74 ddpm sheet -q f -o /dev/full
	cksum f/* a.png >after; same before after
	absent sheet.png
}
