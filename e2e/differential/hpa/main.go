// Writes recorded cases of random worlds; see compare.py, which builds and runs it.
package main

import "localcluster/podautoscaler"

func main() { podautoscaler.Generate() }
