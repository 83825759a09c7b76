# Data sets: what is taken out of a folder, which class is which number, what is converted, what is left out.

one_step='--set net.widths=8 --set net.norm.groups=4 --set batch=2 --set diffusion.steps=4 --holdout 0
	--grid-every 0 --threads 1 --steps 1'
of_eight='--set net.height=8 --set net.width=8'
# learn DATA [WORD...]: a training of one step on pictures of 8 x 8.
learn() { data=$1; shift; ddpm train "$data" -o m.ddpm $one_step $of_eight --force "$@"; }
# gray FILE BYTE, colour FILE BYTE: 8 x 8 pixels of this value, given in octal, the last one black.
gray() { { head -c 63 /dev/zero | tr '\0' "\\$2"; printf '\0'; } | png "$1" 8 8; }
colour() { { head -c 189 /dev/zero | tr '\0' "\\$2"; printf '\0\0\0'; } | png "$1" 8 8 3; }

# Folders named by numbers stand in order of numbers; all that lies below one is its class.
test_data_classes() {
	mkdir -p d/10 d/2/deeper/still d/1 d/x
	gray d/10/a.png 311; gray d/2/deeper/still/a.png 312; gray d/1/a.png 313; gray d/x/a.png 314
	expect 0 learn d --set net.classes=4; says 'classes: 0 1, 1 2, 2 10, 3 x'
	expect 0 ddpm info m.ddpm.train/step-000000001.ddpm; prints 'classes       0 1, 1 2, 2 10, 3 x'
	expect 0 learn d --set net.classes=6; says 'the model has 6 classes, d has 4'
	expect 64 learn d --set net.classes=3; says 'from 0, and the data have others, such as 3'
	expect 0 learn d; says '4 pictures, those of its 4 sub-folders among them, are one set'
	# An earlier numbering is other data.
	expect 0 learn d --set net.classes=4; rm m.ddpm; mv d/10 d/0
	expect 64 ddpm train d -o m.ddpm $one_step $of_eight --set net.classes=4 --resume
	says 'data.sha256'
	ln -s .. d/2/deeper/loop; expect 65 learn d; says 'd/2/deeper/loop leads back'
}

test_data_left_out() {
	mkdir -p d/ant d/bee d/cow
	gray d/ant/a.png 311; gray d/cow/a.png 312
	echo x >d/bee/a.bmp; echo x >d/cow/b.GIF; echo x >d/cow/readme
	expect 0 learn d; says 'd: left out 1 .bmp, 1 .gif, 1 without an ending; PNG, JPEG'
	expect 65 learn d --set net.classes=3; says 'd/bee holds no picture, and every sub-folder is a class'
	rm -r d/bee; gray d/preview.png 313
	expect 65 learn d --set net.classes=2; says 'd/preview.png lies in no sub-folder'
	expect 0 learn d; says '3 pictures, those of its 2 sub-folders among them'
	rm -r d; mkdir d; echo x >d/a.bmp; expect 65 learn d; says 'd holds no image'; says 'found 1 .bmp'
	printf 'BM' >d/a.png; expect 65 learn d; says 'd/a.png is a BMP file, which is not read'
	rm -r d; mkdir -p d/train d/test; gray d/train/a.png 311; gray d/test/a.png 312
	expect 65 learn d; says 'd holds the parts train and test'
	mkdir deeper; mv d deeper
	expect 65 learn deeper; says 'deeper holds the parts d/train and d/test'; says 'such as deeper/d/train'
}

# CIFAR-10's test batch is there to be measured on.
test_data_cifar() {
	mkdir c; for name in data_batch_1 data_batch_2 test_batch; do head -c 6146 /dev/zero >c/$name.bin; done
	expect 0 ddpm train c -o m.ddpm $one_step
	says '4 images of 32 x 32 x 3'; says 'c/test_batch.bin is left out'
	expect 0 ddpm eval -m m.ddpm c --steps 2 --json; prints '"images":4'; says 'c/test_batch.bin is left out'
	expect 0 ddpm eval -m m.ddpm c/test_batch.bin --steps 2 --json; prints '"images":2'
	mv c/data_batch_1.bin c/first.bin; mv c/data_batch_2.bin c/TEST_2.BIN
	expect 0 ddpm eval -m m.ddpm c --steps 2 --json; prints '"images":2'
	says 'c/TEST_2.BIN and 1 more test batches are left out'
	rm c/first.bin; expect 0 ddpm eval -m m.ddpm c --steps 2 --json; prints '"images":4'
}

# Gray among colours: the first name does not decide.
test_data_gray_among_colour() {
	mkdir d g; gray d/0.png 311; colour d/1.png 312; gray g/0.png 200
	expect 0 learn d --skip-bad; says '2 images of 8 x 8 x 3'
	says 'd: 1 gray picture is taken as red, green and blue alike'
	expect 0 learn d --set net.channels=1; says 'd: 1 picture in colour is taken as gray'
	expect 0 learn d --set net.channels=4; says 'd: 2 pictures have no transparency'
	expect 0 learn g; says 'x 1'; ! grep -q taken err || fail "$(cat err)"
	gray d/0.png 001; colour d/1.png 001; expect 0 learn d; says 'no value is above 0.0039 of white'
}

# A training's own way with other sizes is what eval advises.
test_data_fit() {
	mkdir d; colour d/0.png 312
	for fit in crop resize; do
		expect 0 ddpm train d -o m.ddpm $one_step --set net.height=4 --set net.width=4 --fit $fit --force -q
		expect 65 ddpm eval -m m.ddpm d
		says "--fit $fit treats it as the model's training did"
		expect 0 ddpm eval -m m.ddpm d --steps 2 --fit $fit -q
	done
}

# Pictures of models of two and four channels are read again.
test_data_two_and_four_channels() {
	mkdir d; colour d/0.png 312
	for channels in 2 4; do
		expect 0 learn d --set net.channels=$channels
		expect 0 ddpm sample -m m.ddpm -n 2 --steps 2 --outdir out$channels -q
		expect 0 ddpm eval -m m.ddpm out$channels --steps 2 -q
		picture=$(ls out$channels/*.png | head -n 1)
		expect 0 ddpm sample -m m.ddpm -n 1 --steps 2 --from "$picture" --noise-to 2 -o a.png --force -q
		expect 0 learn out$channels --set net.channels=$channels
	done
	expect 65 learn out4; says 'is transparent in places'; says 'net.channels=4'
}
