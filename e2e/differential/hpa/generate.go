// The command: chains of whole decisions in which state is carried over, and single steps.
package podautoscaler

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"

	"k8s.io/klog/v2"
)

func write(path string, cases []*testCase) {
	text, err := json.MarshalIndent(map[string]any{"vectors": cases}, "", " ")
	if err == nil {
		err = os.WriteFile(path, append(text, '\n'), 0o644)
	}
	if err != nil {
		panic(err)
	}
}

// Generate writes OUT/episode-SEED.json and OUT/steps-SEED.json for each seed from -seed on.
func Generate() {
	out := flag.String("out", ".", "folder for the cases")
	seed := flag.Uint64("seed", 1, "the first seed")
	count := flag.Uint64("count", 1, "how many seeds")
	steps := flag.Int("steps", 5, "decisions of a chain")
	flag.Parse()
	klog.SetOutput(io.Discard)
	klog.LogToStderr(false)
	for s := *seed; s < *seed+*count; s++ {
		write(filepath.Join(*out, fmt.Sprintf("episode-%06d.json", s)), episode(rand.New(rand.NewPCG(s, 1)), s, *steps))
		write(filepath.Join(*out, fmt.Sprintf("steps-%06d.json", s)), singleSteps(rand.New(rand.NewPCG(s, 2)), s))
	}
}
