# A training that goes on from its checkpoints: the same bytes as without a stop, and what hinders it.

# Interrupted, resumed and uninterrupted: the same bytes of checkpoint and model.
test_train_resumed() {
	pictures 7
	expect 0 train --steps 9 --save-every 3 --holdout 2 -q; mv m.ddpm whole; cp m.ddpm.train/step-000000009.ddpm whole.step; rm -r m.ddpm.train
	expect 0 train --steps 4 --save-every 3 --holdout 2 -q --resume; mv m.ddpm first
	expect 64 train --steps 9 --resume --set lr=1; says 'settings.lr 0.001, not 1'
	says '--init m.ddpm.train/step-000000004.ddpm'
	! grep -q -e --force err || fail "$(cat err)"
	expect 64 train --steps 9 --resume --seed 1; says 'was begun with'
	expect 64 train --steps 9 --resume --set net.act=relu; says 'net.act "silu", not "relu"'
	mv d/03.png 03.png; expect 64 train --steps 9 --resume --holdout 2; says 'data.images'; mv 03.png d
	expect 0 train --steps 9 --save-every 3 --holdout 2 --resume --cache 0; says 'going on after step 4'
	same m.ddpm whole 'stopped after step 4'
	same m.ddpm.train/step-000000009.ddpm whole.step 'stopped after step 4'
	! cmp -s first whole || fail 'five steps more change nothing'
	[ "$(grep -c held_out m.ddpm.train/log.jsonl)" -eq 3 ] || fail "$(cat m.ddpm.train/log.jsonl)"
}

# rehash FILE: puts the SHA-256 of the file into its head, computed with zeros in the place of its digits.
rehash() {
	zeros=$(printf '%064d' 0)
	LC_ALL=C sed "1s/\"sha256\":\"[0-9a-f]*\"/\"sha256\":\"$zeros\"/" "$1" >zeroed
	digits=$(sha256sum zeroed | cut -c1-64)
	LC_ALL=C sed "1s/\"sha256\":\"$zeros\"/\"sha256\":\"$digits\"/" zeroed >"$1"; rm zeroed
}

# Earlier versions wrote `schedule` for the key `lr_schedule`.
test_train_resumed_from_an_earlier_version() {
	pictures 5
	set -- --set lr_schedule=cosine --steps 3 --save-every 1 --holdout 0
	expect 0 train "$@" -q; mv m.ddpm whole; rm m.ddpm.train/step-000000003.ddpm
	file=$(newest)
	LC_ALL=C sed 's/\\"lr_schedule\\":/\\"schedule\\":   /' "$file" >earlier; ! cmp -s earlier "$file" || fail "$file has no lr_schedule"
	rehash earlier; mv earlier "$file"; loads
	expect 0 train "$@" --resume; says 'going on after step 2'; same m.ddpm whole
	expect 64 train --steps 3 --holdout 0 --resume; says 'settings.lr_schedule "cosine", not "constant"'
}

# The hash tells whether data are the same, whatever their name is by now; the model keeps the first name.
test_train_resumed_with_moved_data() {
	pictures 5
	expect 0 train --steps 4 --holdout 0 -q; mv m.ddpm whole; rm -r m.ddpm.train
	expect 0 train --steps 2 --holdout 0 -q
	mkdir elsewhere && mv d elsewhere/photos
	expect 0 ddpm train elsewhere/photos -o m.ddpm $small --steps 4 --holdout 0 -q --resume; same m.ddpm whole 'moved data'
}

# Pictures that are read again and have changed by then end a training; what was done until then is saved.
test_train_changed_data() {
	pictures 5
	( exec ${RUN:-} "$program" train d -o m.ddpm $small --steps 1000000 --holdout 0 --cache 0 -q >bg.out 2>err ) &
	for i in $(seq 6000); do [ -s m.ddpm.train/log.jsonl ] && break; sleep 0.01; done
	head -c 256 "$program" | png other.png 16 16; mv other.png d/03.png
	wait $!
	code=$?
	[ $code -eq 65 ] || fail "exit code $code, expected 65"
	says 'd/03.png: has changed since the training began; the last good checkpoint is'; loads
}

# A training that has ended: nothing to do at equal steps, and with more the bits of one that has not ended.
test_train_resumed_after_the_end() {
	pictures 7
	expect 0 train --steps 9 --save-every 3 --holdout 2 -q; mv m.ddpm whole; rm -r m.ddpm.train
	expect 0 train --steps 4 --save-every 3 --holdout 2 -q; cp m.ddpm first
	expect 73 train --steps 9 --holdout 2; says 'exists already'; says '--resume'
	! grep -q -e --force err || fail "$(cat err)"
	made() { ls -l --time-style=full-iso m.ddpm m.ddpm.train; }
	made >before
	expect 0 train --steps 4 --save-every 3 --holdout 2 --resume
	says 'step 4 is reached and m.ddpm is written: nothing to do'
	expect 0 train --steps 4 --holdout 2 --resume -q --json; prints '{"step":4,"bits":'
	made >after; cmp -s before after || fail "$(diff before after)"
	expect 0 train --steps 9 --save-every 3 --holdout 2 -q --resume; same m.ddpm whole 'ended after step 4'
	cp "$(newest)" nine
	expect 0 train --time 300ms --holdout 2 -q --resume
	[ "$(steps_of "$(newest)")" -gt 9 ] || fail "$(ls m.ddpm.train)"
	cp first m.ddpm; rm "$(newest)"; cp nine m.ddpm.train/step-000000009.ddpm
	expect 0 train --steps 9 --holdout 2 -q --resume
	same m.ddpm whole 'the model of step 4 beside the checkpoint of step 9'
	expect 0 ddpm train d -o n.ddpm $small --steps 1 --holdout 0 -q --set net.act=relu; mv n.ddpm m.ddpm
	expect 73 train --steps 12 --holdout 2 --resume; says 'its network or data are not those of m.ddpm.train'
	says '--init m.ddpm'
	echo text >m.ddpm; expect 73 train --steps 12 --holdout 2 --resume; says 'no model of this training'
	rm -r m.ddpm.train; cp first m.ddpm
	expect 73 train --steps 12 --holdout 2 --resume; says 'm.ddpm.train holds no checkpoint to go on from'
	same m.ddpm first
}

# Convergence is an end too: the same command again does nothing.
test_train_resumed_after_convergence() {
	pictures 8
	still='--holdout 3 --until-converged 2 --eval-every 1 --set lr=1e-30'
	expect 0 train $still -q; cp m.ddpm first
	expect 0 train $still --resume; says 'nothing to do'; same m.ddpm first
	cp m.ddpm.train/best.ddpm best; flip m.ddpm.train/best.ddpm 20000; rm m.ddpm
	expect 65 train $still --resume -q; says 'm.ddpm.train/best.ddpm'
	LC_ALL=C sed 's/"clip\\":1/"clip\\":2/' best >m.ddpm.train/best.ddpm
	! cmp -s best m.ddpm.train/best.ddpm || fail 'nothing was changed'
	expect 65 train $still --resume -q; says 'are not those of the training'
	cp best m.ddpm.train/best.ddpm; expect 0 train $still --resume -q; same m.ddpm first
}

# Checkpoints that are damaged, cut off, empty, links to nowhere, of another step, or only models:
# said, and the one before leads to the same bytes.
test_train_damaged_checkpoints() {
	pictures 7
	expect 0 train --steps 9 --save-every 3 --holdout 0 -q; mv m.ddpm whole; cp "$(newest)" nine
	flip nine 20000; ! cmp -s nine "$(newest)" || fail 'nothing was changed'
	for harm in 'cp nine "$(newest)"' 'truncate -s 9999 "$(newest)"' 'truncate -s 0 "$(newest)"' \
		'flip "$(newest)" 100' 'flip "$(newest)" 3000' 'ln -sf nowhere "$(newest)"' \
		'cp m.ddpm.train/step-000000003.ddpm "$(newest)"' 'cp whole "$(newest)"'; do
		eval "$harm"
		expect 0 train --steps 9 --save-every 3 --holdout 0 --resume -q
		says 'm.ddpm.train/step-000000009.ddpm'; says 'an older checkpoint is taken'
		same m.ddpm whole "$harm"; rm m.ddpm; loads
	done
	cp nine "$(newest)"
	expect 0 train --steps 7 --save-every 1 --keep 1 --holdout 0 --resume -q; rm m.ddpm
	[ "$(ls m.ddpm.train | tr '\n' ' ')" = 'log.jsonl step-000000007.ddpm step-000000009.ddpm ' ] ||
		fail "the only whole one has to stay: $(ls m.ddpm.train)"
	expect 65 ddpm sample -m "$(newest)" -n 1 --steps 2 -q; says 'is damaged'
	expect 65 ddpm info "$(newest)"; says 'is damaged'
	for file in m.ddpm.train/step-*; do cp nine "$file"; done
	train --steps 9 --holdout 0 --resume -q 2>err
	code=$?; [ $code -eq 65 ] || fail "exit code $code, expected 65"
	says 'm.ddpm.train holds no checkpoint that is whole'; absent m.ddpm
}
