#!/bin/sh
# Interesting to the reducer: a Program with a square root. Exit status 1 says so, as mlir-reduce wants it.
grep -q math.sqrt "$1" && exit 1
exit 0
