// Runs the real controller on a recorded case's objects and writes down what it did. This file is compiled into a copy
// of its package whose clock is the variable below (see compare.py), for it reaches unexported parts.
package podautoscaler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	v1 "k8s.io/api/core/v1"
	k8serrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utilfeature "k8s.io/apiserver/pkg/util/feature"
	autoscalingclient "k8s.io/client-go/kubernetes/typed/autoscaling/v2"
	corelisters "k8s.io/client-go/listers/core/v1"
	scaleclient "k8s.io/client-go/scale"
	"k8s.io/client-go/tools/cache"
	autoscalingdefaults "k8s.io/kubernetes/pkg/apis/autoscaling/v2"
	metricsclient "k8s.io/kubernetes/pkg/controller/podautoscaler/metrics"
	"k8s.io/kubernetes/pkg/controller/podautoscaler/monitor"
	"k8s.io/kubernetes/pkg/controller/util/selectors"
	customapi "k8s.io/metrics/pkg/apis/custom_metrics/v1beta2"
	externalapi "k8s.io/metrics/pkg/apis/external_metrics/v1beta1"
	metricsapi "k8s.io/metrics/pkg/apis/metrics/v1beta1"
	resourceclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"
	customclient "k8s.io/metrics/pkg/client/custom_metrics"
	externalclient "k8s.io/metrics/pkg/client/external_metrics"
)

// What the copied sources read in place of the clock.
var clockTime time.Time

func clockNow() time.Time { return clockTime }

const (
	testNamespace = "test-namespace"
	testName      = "test-hpa"
	testKey       = testNamespace + "/" + testName
)

type object = map[string]any

type apiCall struct {
	API            string `json:"api"`
	Metric         string `json:"metric,omitempty"`
	Object         string `json:"object,omitempty"`
	Namespace      string `json:"namespace,omitempty"`
	Selector       string `json:"selector,omitempty"`
	MetricSelector string `json:"metricSelector,omitempty"`
	Items          int    `json:"items"`
	Error          string `json:"error,omitempty"`
}

type entry struct {
	Replicas      *int32 `json:"replicas,omitempty"`
	ReplicaChange *int32 `json:"replicaChange,omitempty"`
	Timestamp     string `json:"timestamp"`
	Outdated      bool   `json:"outdated,omitempty"`
}

type history struct {
	Recommendations []entry `json:"recommendations"`
	ScaleUpEvents   []entry `json:"scaleUpEvents"`
	ScaleDownEvents []entry `json:"scaleDownEvents"`
}

type faults struct {
	ScaleGet    string   `json:"scaleGet,omitempty"`
	ScaleUpdate []string `json:"scaleUpdate,omitempty"`
}

type otherHPA struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Selector  string `json:"selector"`
}

type flagSet struct {
	Tolerance               string          `json:"tolerance"`
	CPUInitializationPeriod string          `json:"cpuInitializationPeriod"`
	InitialReadinessDelay   string          `json:"initialReadinessDelay"`
	DownscaleStabilization  string          `json:"downscaleStabilization"`
	FeatureGates            map[string]bool `json:"featureGates,omitempty"`
}

// A case, in the order its fields are written.
type testCase struct {
	Name      string     `json:"name"`
	Source    string     `json:"source"`
	Origin    string     `json:"origin"`
	Level     string     `json:"level"`
	Now       string     `json:"now"`
	Objects   []object   `json:"objects"`
	APICalls  []apiCall  `json:"apiCalls,omitempty"`
	Faults    *faults    `json:"faults,omitempty"`
	OtherHPAs []otherHPA `json:"otherHPAs,omitempty"`
	Input     object     `json:"input,omitempty"`
	History   *history   `json:"history,omitempty"`
	Flags     flagSet    `json:"flags"`
	Expect    object     `json:"expect"`
	Unpinned  []string   `json:"unpinned,omitempty"`

	// What a metrics API would answer, call after call; a list that was asked for becomes an object of the case.
	custom, external []answer
	resource         []string // errors of the calls of the resource API; "" answers with podMetrics
	podMetrics       []object
}

type answer struct {
	list  object
	error string
}

func decode[T any](from any) *T {
	text, err := json.Marshal(from)
	if err != nil {
		panic(err)
	}
	to := new(T)
	if err := json.Unmarshal(text, to); err != nil {
		panic(fmt.Sprintf("%v: %s", err, text))
	}
	return to
}

func encode(from any) any {
	return *decode[any](from)
}

func (c *testCase) find(kind string) object {
	for _, o := range c.Objects {
		if o["kind"] == kind {
			return o
		}
	}
	return nil
}

// The recording double of everything the controller talks to.
type world struct {
	apimeta.RESTMapper
	c                          *testCase
	calls                      []apiCall
	lists                      []object
	resource, custom, external int
	updates                    int
	scaledTo                   *int32
	status                     *autoscalingv2.HorizontalPodAutoscalerStatus
	events                     []object
	errorLabel                 monitor.ErrorLabel
	metricsRead                bool
}

// ---- what is scaled

func (w *world) RESTMappings(gk schema.GroupKind, versions ...string) ([]*apimeta.RESTMapping, error) {
	plural := strings.ToLower(gk.Kind) + "s"
	return []*apimeta.RESTMapping{{Resource: schema.GroupVersionResource{Group: gk.Group, Version: "v1", Resource: plural}}}, nil
}

type scales struct{ w *world }

func (s scales) Scales(namespace string) scaleclient.ScaleInterface { return s }

func (s scales) Get(ctx context.Context, resource schema.GroupResource, name string, opts metav1.GetOptions) (*autoscalingv1.Scale, error) {
	if f := s.w.c.Faults; f != nil && f.ScaleGet != "" {
		return nil, errors.New(f.ScaleGet)
	}
	return decode[autoscalingv1.Scale](s.w.c.find("Scale")), nil
}

func (s scales) Update(ctx context.Context, resource schema.GroupResource, scale *autoscalingv1.Scale, opts metav1.UpdateOptions) (*autoscalingv1.Scale, error) {
	w := s.w
	attempt := w.updates
	w.updates++
	if f := w.c.Faults; f != nil && attempt < len(f.ScaleUpdate) {
		if strings.HasPrefix(f.ScaleUpdate[attempt], "Conflict: ") {
			return nil, k8serrors.NewConflict(schema.GroupResource{Group: "apps", Resource: "deployments"}, "app", errors.New("simulated conflict"))
		}
		return nil, errors.New(strings.TrimPrefix(f.ScaleUpdate[attempt], "error: "))
	}
	replicas := scale.Spec.Replicas
	w.scaledTo = &replicas
	return scale, nil
}

func (s scales) Patch(ctx context.Context, gvr schema.GroupVersionResource, name string, pt types.PatchType, data []byte, opts metav1.PatchOptions) (*autoscalingv1.Scale, error) {
	panic("the controller patches no scale")
}

// ---- status, events, labels of counters

type autoscalers struct {
	autoscalingclient.HorizontalPodAutoscalerInterface
	w *world
}

func (a autoscalers) HorizontalPodAutoscalers(namespace string) autoscalingclient.HorizontalPodAutoscalerInterface {
	return a
}

func (a autoscalers) UpdateStatus(ctx context.Context, hpa *autoscalingv2.HorizontalPodAutoscaler, opts metav1.UpdateOptions) (*autoscalingv2.HorizontalPodAutoscaler, error) {
	a.w.status = hpa.Status.DeepCopy()
	return hpa, nil
}

func (w *world) Event(o runtime.Object, eventtype, reason, message string) {
	w.events = append(w.events, object{"type": eventtype, "reason": reason, "message": message})
}

func (w *world) Eventf(o runtime.Object, eventtype, reason, format string, args ...any) {
	w.Event(o, eventtype, reason, fmt.Sprintf(format, args...))
}

func (w *world) AnnotatedEventf(o runtime.Object, annotations map[string]string, eventtype, reason, format string, args ...any) {
	w.Eventf(o, eventtype, reason, format, args...)
}

type labelsSeen struct{ w *world }

func (l labelsSeen) ObserveReconciliationResult(action monitor.ActionLabel, err monitor.ErrorLabel, duration time.Duration) {
	l.w.errorLabel = err
}

func (l labelsSeen) ObserveMetricComputationResult(action monitor.ActionLabel, err monitor.ErrorLabel, duration time.Duration, t autoscalingv2.MetricSourceType) {
	l.w.metricsRead = true
}

func (l labelsSeen) ObserveHPAAddition()                                    {}
func (l labelsSeen) ObserveHPADeletion()                                    {}
func (l labelsSeen) ObserveDesiredReplicas(namespace, name string, n int32) {}

// ---- metrics APIs

type podMetricses struct {
	resourceclient.PodMetricsInterface
	w *world
}

func (p podMetricses) PodMetricses(namespace string) resourceclient.PodMetricsInterface { return p }

func (p podMetricses) List(ctx context.Context, opts metav1.ListOptions) (*metricsapi.PodMetricsList, error) {
	w := p.w
	call := apiCall{API: "metrics.k8s.io/v1beta1", Namespace: testNamespace, Selector: opts.LabelSelector}
	k := w.resource
	w.resource++
	if k < len(w.c.resource) && w.c.resource[k] != "" {
		call.Error = w.c.resource[k]
		w.calls = append(w.calls, call)
		return nil, errors.New(call.Error)
	}
	list := &metricsapi.PodMetricsList{}
	selector, err := labels.Parse(opts.LabelSelector)
	if err != nil {
		return nil, err
	}
	for _, o := range w.c.podMetrics {
		m := decode[metricsapi.PodMetrics](o)
		if selector.Matches(labels.Set(m.Labels)) {
			list.Items = append(list.Items, *m)
		}
	}
	call.Items = len(list.Items)
	w.calls = append(w.calls, call)
	return list, nil
}

// The next of an API's answers, written down with its call.
func (w *world) next(answers []answer, at *int, call apiCall) (object, error) {
	a := answers[*at]
	*at++
	call.Error = a.error
	if a.error == "" {
		items, _ := a.list["items"].([]object)
		call.Items = len(items)
		w.lists = append(w.lists, a.list)
	}
	w.calls = append(w.calls, call)
	if a.error != "" {
		return nil, errors.New(a.error)
	}
	return a.list, nil
}

type customMetrics struct {
	w         *world
	namespace string
}

func (m customMetrics) RootScopedMetrics() customclient.MetricsInterface { return m }
func (m customMetrics) NamespacedMetrics(namespace string) customclient.MetricsInterface {
	m.namespace = namespace
	return m
}

func (m customMetrics) GetForObject(gk schema.GroupKind, name, metric string, selector labels.Selector) (*customapi.MetricValue, error) {
	call := apiCall{API: "custom.metrics.k8s.io/v1beta2", Metric: metric, Object: schema.GroupVersion{Group: gk.Group, Version: "v1"}.String() + "/" + gk.Kind + "/" + name, Namespace: m.namespace, MetricSelector: selector.String()}
	list, err := m.w.next(m.w.c.custom, &m.w.custom, call)
	if err != nil {
		return nil, err
	}
	// As the client does: one item and no other number.
	items := decode[customapi.MetricValueList](list).Items
	if len(items) != 1 {
		return nil, fmt.Errorf("the custom metrics API server returned %v results when we asked for exactly one", len(items))
	}
	return &items[0], nil
}

func (m customMetrics) GetForObjects(gk schema.GroupKind, pods labels.Selector, metric string, selector labels.Selector) (*customapi.MetricValueList, error) {
	call := apiCall{API: "custom.metrics.k8s.io/v1beta2", Metric: metric, Object: "pods/*", Namespace: m.namespace, Selector: pods.String(), MetricSelector: selector.String()}
	list, err := m.w.next(m.w.c.custom, &m.w.custom, call)
	if err != nil {
		return nil, err
	}
	return decode[customapi.MetricValueList](list), nil
}

type externalMetrics struct{ w *world }

func (m externalMetrics) NamespacedMetrics(namespace string) externalclient.MetricsInterface {
	return m
}

func (m externalMetrics) List(metric string, selector labels.Selector) (*externalapi.ExternalMetricValueList, error) {
	call := apiCall{API: "external.metrics.k8s.io/v1beta1", Metric: metric, Namespace: testNamespace, MetricSelector: selector.String()}
	list, err := m.w.next(m.w.c.external, &m.w.external, call)
	if err != nil {
		return nil, err
	}
	return decode[externalapi.ExternalMetricValueList](list), nil
}

// ---- the controller

func mustDuration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return d
}

func mustTime(text string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		panic(err)
	}
	return t.UTC()
}

func setGates(gates map[string]bool) {
	// What depends on PodLevelResources and is of no matter here would not let it go off.
	all := "InPlacePodLevelResourcesVerticalScaling=false"
	for _, name := range []string{"HPAScaleToZero", "HPAConfigurableTolerance", "PodLevelResources"} {
		on, given := gates[name]
		if !given {
			on = name != "HPAScaleToZero"
		}
		all += fmt.Sprintf(",%s=%v", name, on)
	}
	if err := utilfeature.DefaultMutableFeatureGate.Set(all); err != nil {
		panic(err)
	}
}

// The HPA as the apiserver hands it out.
func (c *testCase) hpa() *autoscalingv2.HorizontalPodAutoscaler {
	hpa := decode[autoscalingv2.HorizontalPodAutoscaler](c.find("HorizontalPodAutoscaler"))
	autoscalingdefaults.SetDefaults_HorizontalPodAutoscaler(hpa)
	autoscalingdefaults.SetDefaults_HorizontalPodAutoscalerBehavior(hpa)
	return hpa
}

func (c *testCase) pods() corelisters.PodLister {
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, o := range c.Objects {
		if o["kind"] == "Pod" {
			if err := indexer.Add(decode[v1.Pod](o)); err != nil {
				panic(err)
			}
		}
	}
	return corelisters.NewPodLister(indexer)
}

func (c *testCase) controller(w *world) *HorizontalController {
	clockTime = mustTime(c.Now)
	setGates(c.Flags.FeatureGates)
	pods := c.pods()
	tolerance := decode[float64](json.RawMessage(c.Flags.Tolerance))
	a := &HorizontalController{
		scaleNamespacer:              scales{w},
		hpaNamespacer:                autoscalers{w: w},
		mapper:                       w,
		tolerance:                    *tolerance,
		eventRecorder:                w,
		downscaleStabilisationWindow: mustDuration(c.Flags.DownscaleStabilization),
		monitor:                      labelsSeen{w},
		podLister:                    pods,
		recommendations:              map[string][]timestampedRecommendation{},
		scaleUpEvents:                map[string][]timestampedScaleEvent{},
		scaleDownEvents:              map[string][]timestampedScaleEvent{},
		hpaSelectors:                 selectors.NewBiMultimap(),
	}
	client := metricsclient.NewRESTMetricsClient(podMetricses{w: w}, customMetrics{w: w}, externalMetrics{w})
	a.replicaCalc = NewReplicaCalculator(client, pods, mustDuration(c.Flags.CPUInitializationPeriod), mustDuration(c.Flags.InitialReadinessDelay))
	a.hpaSelectors.PutSelector(selectors.Parse(testKey), labels.Nothing())
	for _, other := range c.OtherHPAs {
		selector, err := labels.Parse(other.Selector)
		if err != nil {
			panic(err)
		}
		a.hpaSelectors.PutSelector(selectors.Key{Namespace: other.Namespace, Name: other.Name}, selector)
	}
	if c.History != nil {
		c.remember(a)
	}
	return a
}

func (c *testCase) remember(a *HorizontalController) {
	if c.History.Recommendations != nil {
		a.recommendations[testKey] = []timestampedRecommendation{}
	}
	for _, e := range c.History.Recommendations {
		a.recommendations[testKey] = append(a.recommendations[testKey], timestampedRecommendation{*e.Replicas, mustTime(e.Timestamp)})
	}
	for _, e := range c.History.ScaleUpEvents {
		a.scaleUpEvents[testKey] = append(a.scaleUpEvents[testKey], timestampedScaleEvent{*e.ReplicaChange, mustTime(e.Timestamp), e.Outdated})
	}
	for _, e := range c.History.ScaleDownEvents {
		a.scaleDownEvents[testKey] = append(a.scaleDownEvents[testKey], timestampedScaleEvent{*e.ReplicaChange, mustTime(e.Timestamp), e.Outdated})
	}
}

func eventEntries(events []timestampedScaleEvent) []entry {
	list := []entry{}
	for _, e := range events {
		change := e.replicaChange
		list = append(list, entry{ReplicaChange: &change, Timestamp: e.timestamp.Format(time.RFC3339Nano), Outdated: e.outdated})
	}
	return list
}

func historyOf(a *HorizontalController) *history {
	h := &history{ScaleUpEvents: eventEntries(a.scaleUpEvents[testKey]), ScaleDownEvents: eventEntries(a.scaleDownEvents[testKey])}
	if a.recommendations[testKey] != nil {
		h.Recommendations = []entry{}
	}
	for _, r := range a.recommendations[testKey] {
		replicas := r.recommendation
		h.Recommendations = append(h.Recommendations, entry{Replicas: &replicas, Timestamp: r.timestamp.Format(time.RFC3339Nano)})
	}
	return h
}

// Each metric once more, by itself: what it proposes before any limit.
func (c *testCase) proposals() []object {
	w := &world{c: c}
	a := c.controller(w)
	hpa := c.hpa()
	scale := decode[autoscalingv1.Scale](c.find("Scale"))
	selector, err := labels.Parse(scale.Status.Selector)
	if err != nil {
		panic(err)
	}
	list := []object{}
	for i, m := range hpa.Spec.Metrics {
		var status autoscalingv2.MetricStatus
		p := object{"index": i, "type": string(m.Type)}
		replicas, name, _, _, err := a.computeReplicasForMetric(context.Background(), hpa, m, scale.Spec.Replicas, scale.Status.Replicas, selector, &status)
		if err != nil {
			p["error"] = err.Error()
		} else {
			p["name"] = name
			p["replicas"] = replicas
		}
		list = append(list, p)
	}
	return list
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func conditionsOf(status *autoscalingv2.HorizontalPodAutoscalerStatus) []object {
	list := []object{}
	for _, c := range status.Conditions {
		list = append(list, object{"type": string(c.Type), "status": string(c.Status), "reason": c.Reason, "message": c.Message})
	}
	return list
}

// Runs a whole reconciliation; fills expect, the calls and the lists that answered them. The status after it is returned.
func (c *testCase) reconcile() (*autoscalingv2.HorizontalPodAutoscalerStatus, *world, *history) {
	w := &world{c: c}
	a := c.controller(w)
	hpa := c.hpa()
	err := a.reconcileAutoscaler(context.Background(), hpa, testKey)
	status := w.status
	if status == nil {
		status = hpa.Status.DeepCopy()
	}
	after := historyOf(a)
	c.Expect = object{
		"desiredReplicas": status.DesiredReplicas, "currentReplicas": status.CurrentReplicas, "conditions": conditionsOf(status),
		"currentMetrics": encode(orEmpty(status.CurrentMetrics)), "scaled": w.scaledTo != nil, "events": orEmpty(w.events),
		"statusChanged": w.status != nil, "lastScaleTimeUpdated": w.scaledTo != nil, "error": err != nil, "historyAfter": encode(after),
	}
	if w.scaledTo != nil {
		c.Expect["scaledTo"] = *w.scaledTo
	}
	if err != nil {
		c.Expect["errorMessage"] = err.Error()
		c.Expect["errorLabel"] = string(w.errorLabel)
	}
	if w.metricsRead {
		c.Expect["metricProposals"] = c.proposals()
	}
	c.answered(w)
	return status, w, after
}

// What was asked belongs to the case.
func (c *testCase) answered(w *world) {
	c.APICalls = w.calls
	if w.resource > 0 {
		c.Objects = append(c.Objects, c.podMetrics...)
	}
	c.Objects = append(c.Objects, w.lists...)
}
