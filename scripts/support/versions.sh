# shellcheck shell=bash disable=SC2034
# Sourced by scripts/*: the versions of tools that are not Debian's.
STATICCHECK=0.8.2
NFPM=2.43.0 # later ones need modules that the module proxy refuses
