#!/bin/sh
# aligned.sh OBJECT...: fails if an object moves a vector of 32 or 64 bytes by an instruction that wants it aligned.  gcc for Windows
# aligns the stack to 16 bytes alone, and Wine does not show it, as its stacks happen to be aligned.
set -u
bad=0
total=0
for object; do
	code=$(x86_64-w64-mingw32-objdump -d --no-show-raw-insn "$object")
	wrong=$(echo "$code" | grep -E 'vmov(aps|apd|dqa|dqa32|dqa64)[[:space:]].*%[yz]mm.*\(|vmov(aps|apd|dqa|dqa32|dqa64)[[:space:]].*\(.*%[yz]mm')
	[ -z "$wrong" ] || { echo "$object: aligned vectors:"; echo "$wrong" | head -n 5; bad=1; }
	total=$((total + $(echo "$code" | grep -cE 'vmovu?(ups|pd|dqu)[0-9]*[[:space:]].*%[yz]mm')))
done
# Without vectors there was nothing to check.
[ $total -gt 100 ] || { echo "aligned.sh: $total moves of vectors in all"; bad=1; }
exit $bad
