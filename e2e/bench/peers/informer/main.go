// Follows all pods of the cluster that KUBECONFIG names with client-go's shared informer, as a controller does by
// default (built-in kinds as protobuf, streaming list), and prints as JSON what the first sync took: objects,
// seconds, processor seconds, resident memory at its peak and after a collection.
// usage: informer [CONTENT-TYPE]     application/json is what custom resources always cost
package main

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

func cpu() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

func mib(field string) float64 {
	status := must(os.ReadFile("/proc/self/status"))
	kib := regexp.MustCompile(field + `:\s+(\d+)`).FindSubmatch(status)[1]
	return must(strconv.ParseFloat(string(kib), 64)) / 1024
}

func main() {
	config := must(clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG")))
	if len(os.Args) > 1 {
		config.ContentType = os.Args[1]
	}
	factory := informers.NewSharedInformerFactory(must(kubernetes.NewForConfig(config)), 0)
	pods := factory.Core().V1().Pods().Informer()
	start, before := time.Now(), cpu()
	factory.Start(context.Background().Done())
	factory.WaitForCacheSync(context.Background().Done())
	seconds, used, synced := time.Since(start).Seconds(), cpu()-before, mib("VmRSS")
	debug.FreeOSMemory()
	fmt.Printf(`{"objects":%d,"seconds":%.3f,"cpu_seconds":%.3f,"peak_rss_mib":%.1f,"rss_mib":%.1f,"rss_collected_mib":%.1f}`+"\n",
		len(pods.GetStore().ListKeys()), seconds, used, mib("VmHWM"), synced, mib("VmRSS"))
}
