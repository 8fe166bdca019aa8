{{- define "trimtab.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "trimtab.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (include "trimtab.name" .) .Release.Name -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "trimtab.name" .) | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "trimtab.selector" -}}
app.kubernetes.io/name: {{ include "trimtab.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "trimtab.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "trimtab.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "trimtab.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "trimtab.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* Roles are the same everywhere; with `namespaces` they are bound in those only. The release's namespace is in the
       name of what belongs to the whole cluster, so that two releases do not meet. */ -}}
{{- define "trimtab.clusterName" -}}
{{ printf "%s:%s" .Release.Namespace (include "trimtab.fullname" .) }}
{{- end }}

{{- /* Whether this release serves an API version of its own: list of the context, version.group, and the setting. With auto
       it does where there is somebody to serve it, and no other has registered it. */ -}}
{{- define "trimtab.serves" -}}
{{- $context := index . 0 }}{{ $name := index . 1 }}{{ $setting := index . 2 -}}
{{- if ne (toString $setting) "auto" -}}
{{ if $setting }}yes{{ end }}
{{- else if $context.Values.replicas -}}
{{- $there := lookup "apiregistration.k8s.io/v1" "APIService" "" $name -}}
{{- $release := dig "metadata" "annotations" "meta.helm.sh/release-name" "" $there -}}
{{- $namespace := dig "metadata" "annotations" "meta.helm.sh/release-namespace" "" $there -}}
{{- if or (not $there) (and (eq $release $context.Release.Name) (eq $namespace $context.Release.Namespace)) }}yes{{ end }}
{{- end -}}
{{- end }}

{{- /* The APIServices that this release has, separated by commas: version.group. An operator that follows some namespaces
       only cannot answer for the cluster. */ -}}
{{- define "trimtab.apiServices" -}}
{{- $names := list -}}
{{- $settings := .Values.metrics.apiServices -}}
{{- $resource := $settings.resource -}}
{{- if and (eq (toString $resource) "auto") (not .Values.kubelets.enabled) (not .Values.metrics.rules.resourceRules) -}}
{{- $resource = false -}}
{{- end -}}
{{- $wanted := list (list "v1beta1.custom.metrics.k8s.io" $settings.custom) (list "v1beta2.custom.metrics.k8s.io" $settings.custom)
      (list "v1beta1.external.metrics.k8s.io" $settings.external)
      (list "v1beta1.metrics.k8s.io" $resource) -}}
{{- range $wanted -}}
{{- if and (not $.Values.namespaces) (include "trimtab.serves" (list $ (index . 0) (index . 1))) -}}
{{- $names = append $names (index . 0) -}}
{{- end -}}
{{- end -}}
{{ join "," $names }}
{{- end }}

{{- /* The right to read the Secrets that sources may name: rules of a role. */ -}}
{{- define "trimtab.sourceSecrets" -}}
{{- with .Values.metricSources.secrets }}
  - apiGroups: [""]
    resources: [secrets]
    {{- if not (has "*" .) }}
    resourceNames: {{ toJson . }}
    {{- end }}
    verbs: [get, watch]
{{- end }}
{{- end }}

{{- /* The ConfigMap with the rules, or nothing. */ -}}
{{- define "trimtab.rules" -}}
{{- if .Values.metrics.existingRules -}}
{{ .Values.metrics.existingRules }}
{{- else if .Values.metrics.rules -}}
{{ include "trimtab.fullname" . }}-rules
{{- end }}
{{- end }}
