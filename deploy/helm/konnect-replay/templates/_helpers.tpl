{{- define "konnect-replay.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 50 -}}
{{- end -}}

{{- /* The name of objects. Release names may hold dots and begin with a digit, and the alias of a dependency capitals and underscores;
names of Services may not. */ -}}
{{- define "konnect-replay.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else -}}
{{- $name := include "konnect-replay.name" . | lower | replace "_" "-" -}}
{{- if not (regexMatch "^[a-z]" $name) -}}
{{- $name = printf "konnect-replay-%s" $name -}}
{{- end -}}
{{- $release := .Release.Name | replace "." "-" -}}
{{- $full := ternary $release (printf "%s-%s" $release $name) (contains $name $release) -}}
{{- if not (regexMatch "^[a-z]" $full) -}}
{{- $full = printf "%s-%s" $name $release -}}
{{- end -}}
{{- regexReplaceAll "-+$" ($full | trunc 50) "" -}}
{{- end -}}
{{- end -}}

{{- /* The name of cluster-wide objects: that of the others, with the namespace before it unless both are the same. Releases
of one name in several namespaces stay apart; neither part holds a dot. */ -}}
{{- define "konnect-replay.clusterName" -}}
{{- $full := include "konnect-replay.fullname" . -}}
{{- ternary $full (printf "%s.%s" .Release.Namespace $full) (eq $full .Release.Namespace) -}}
{{- end -}}

{{- define "konnect-replay.emulatorName" -}}
{{- include "konnect-replay.fullname" . }}-emulator
{{- end -}}

{{- define "konnect-replay.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "konnect-replay.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* What selects the pods of one component. Called with (dict "ctx" $ "component" "operator"). Never changes. */ -}}
{{- define "konnect-replay.selector" -}}
{{- dict "app.kubernetes.io/name" (include "konnect-replay.name" .ctx) "app.kubernetes.io/instance" .ctx.Release.Name "app.kubernetes.io/component" (.component | default "operator") | toYaml -}}
{{- end -}}

{{- /* Labels of pods: nothing that moves with the chart's version, which would start them anew for nothing. Each key stands
once: the user's value wins, except over the selector. */ -}}
{{- define "konnect-replay.podLabels" -}}
{{- $v := .ctx.Values -}}
{{- mergeOverwrite (dict) ($v.commonLabels | default dict) ($v.podLabels | default dict) (include "konnect-replay.selector" . | fromYaml) | toYaml -}}
{{- end -}}

{{- /* Labels of objects; `labels` are the user's for this very object. Each key stands once, as above. */ -}}
{{- define "konnect-replay.labels" -}}
{{- $own := dict "app.kubernetes.io/part-of" "konnect-replay" "app.kubernetes.io/version" .ctx.Chart.AppVersion "app.kubernetes.io/managed-by" .ctx.Release.Service "helm.sh/chart" (printf "%s-%s" .ctx.Chart.Name .ctx.Chart.Version | replace "+" "_") -}}
{{- mergeOverwrite (dict) $own (.ctx.Values.commonLabels | default dict) (.labels | default dict) (include "konnect-replay.selector" . | fromYaml) | toYaml -}}
{{- end -}}

{{- /* Name, namespace, labels and annotations of an object. Called with (dict "ctx" $), and where they differ from the
operator's with "name", "namespace", "component", "labels", "annotations"; with "clusterWide" true there is no namespace. */ -}}
{{- define "konnect-replay.metadata" -}}
{{- $meta := dict "name" (.name | default (include "konnect-replay.fullname" .ctx)) "labels" (include "konnect-replay.labels" . | fromYaml) -}}
{{- if not .clusterWide -}}
{{- $_ := set $meta "namespace" (.namespace | default .ctx.Release.Namespace) -}}
{{- end -}}
{{- with .annotations -}}
{{- $_ := set $meta "annotations" . -}}
{{- end -}}
{{- toYaml $meta -}}
{{- end -}}

{{- /* The image, from global.imageRegistry in place of its own registry where that is set. */ -}}
{{- define "konnect-replay.image" -}}
{{- $repository := .image.repository -}}
{{- with (.ctx.Values.global).imageRegistry -}}
{{- $parts := splitList "/" $repository -}}
{{- if and (gt (len $parts) 1) (regexMatch "[.:]|^localhost$" (first $parts)) -}}
{{- $parts = rest $parts -}}
{{- end -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) (join "/" $parts) -}}
{{- end -}}
{{- if .image.digest -}}
{{ $repository }}@{{ .image.digest }}
{{- else -}}
{{ $repository }}:{{ .image.tag | default .ctx.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* Two lists of maps as one in which each name stands once: a later entry takes the place of an earlier one, and the
user's that of the chart's. Called with (dict "own" … "theirs" … "key" "name"); the result is below `items`. */ -}}
{{- define "konnect-replay.eachOnce" -}}
{{- $key := .key -}}
{{- $seen := dict -}}
{{- $items := list -}}
{{- range reverse (concat (.own | default list) (.theirs | default list)) -}}
{{- if not (hasKey $seen (get . $key)) -}}
{{- $_ := set $seen (get . $key) true -}}
{{- $items = prepend $items . -}}
{{- end -}}
{{- end -}}
{{- dict "items" $items | toYaml -}}
{{- end -}}

{{- define "konnect-replay.pullSecrets" -}}
{{- $global := list -}}
{{- range (.Values.global).imagePullSecrets -}}
{{- $global = append $global (ternary (dict "name" .) . (kindIs "string" .)) -}}
{{- end -}}
{{- include "konnect-replay.eachOnce" (dict "own" $global "theirs" .Values.imagePullSecrets "key" "name") -}}
{{- end -}}

{{- /* What all pods of the chart have in common: where they run, as whom, and from where their images come. */ -}}
{{- define "konnect-replay.pod" -}}
{{- $v := .Values -}}
{{- $pod := dict "securityContext" $v.podSecurityContext "priorityClassName" $v.priorityClassName "nodeSelector" $v.nodeSelector "tolerations" $v.tolerations "affinity" $v.affinity -}}
{{- $_ := set $pod "imagePullSecrets" (include "konnect-replay.pullSecrets" . | fromYaml).items -}}
{{- range $field, $value := $pod -}}
{{- if not $value -}}
{{- $_ := unset $pod $field -}}
{{- end -}}
{{- end -}}
{{- with $pod -}}
{{- toYaml . -}}
{{- end -}}
{{- end -}}

{{- /* What the operator does with objects that users make: exactly what it uses. The one place of these rules in this chart. */ -}}
{{- define "konnect-replay.rules" -}}
- apiGroups: [konnect-replay.dev]
  resources: [auditlogreplayjobs]
  # delete: objects that have finished, spec.ttlSecondsAfterFinished ago.
  verbs: [get, list, watch, delete]
- apiGroups: [konnect-replay.dev]
  resources: [auditlogreplayjobs/status]
  verbs: [patch]
# By name only, when a token is needed: no list, no watch.
- apiGroups: [""]
  resources: [secrets]
  verbs: [get]
# Events have names of their own and are never changed: no get, no patch.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}

{{- define "konnect-replay.subjects" -}}
- kind: ServiceAccount
  name: {{ include "konnect-replay.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
{{- end -}}

{{- /* The Secret or ConfigMap with certificates to trust, as the source of a projected volume; nothing if there is none. */ -}}
{{- define "konnect-replay.caSource" -}}
{{- $ca := .Values.konnect.caBundle -}}
{{- if .Values.emulator.enabled -}}
secret:
  name: {{ include "konnect-replay.emulatorName" . }}-tls
  items: [{key: ca.crt, path: ca.crt}]
{{- else if $ca.configMap -}}
configMap:
  name: {{ $ca.configMap | quote }}
  items: [{key: {{ $ca.key | quote }}, path: ca.crt}]
{{- else if $ca.secret -}}
secret:
  name: {{ $ca.secret | quote }}
  items: [{key: {{ $ca.key | quote }}, path: ca.crt}]
{{- end -}}
{{- end -}}

{{- /* Arguments of a program: those of the chart whose flags the user does not give, then the user's. */ -}}
{{- define "konnect-replay.arguments" -}}
{{- $given := dict -}}
{{- range .theirs -}}
{{- $_ := set $given (splitList "=" . | first) true -}}
{{- end -}}
{{- $kept := list -}}
{{- range .own -}}
{{- if not (hasKey $given (splitList "=" . | first)) -}}
{{- $kept = append $kept . -}}
{{- end -}}
{{- end -}}
{{- concat $kept (.theirs | default list) | toYaml -}}
{{- end -}}

{{- /* Arguments of the operator. What is empty is left to the program's own default. */ -}}
{{- define "konnect-replay.args" -}}
{{- $k := .Values.konnect -}}
{{- $own := list "run" (printf "--lease-name=%s" (include "konnect-replay.fullname" .)) -}}
{{- if not .Values.leaderElection.enabled -}}
{{- $own = append $own "--leader-elect=false" -}}
{{- end -}}
{{- if .Values.emulator.enabled -}}
{{- $own = append $own (printf "--konnect-url=https://%s.%s.svc:8787/{region}" (include "konnect-replay.emulatorName" .) .Release.Namespace) -}}
{{- else if $k.url -}}
{{- $own = append $own (printf "--konnect-url=%s" $k.url) -}}
{{- end -}}
{{- range $flag, $value := dict "regions" $k.regions "token-prefixes" $k.tokenPrefixes "watch-namespaces" .Values.watchNamespaces -}}
{{- if $value -}}
{{- $own = append $own (printf "--%s=%s" $flag (join "," $value)) -}}
{{- end -}}
{{- end -}}
{{- range $flag, $value := dict "serialize" $k.serialize "poll-interval" $k.pollInterval "retry-interval" $k.retryInterval "retention" $k.retention "ingest-delay" $k.ingestDelay "get-lag" $k.getLag "backoff-base" $k.backoffBase "request-timeout" $k.requestTimeout "concurrency" .Values.concurrency "log-format" .Values.log.format -}}
{{- if $value -}}
{{- $own = append $own (printf "--%s=%v" $flag $value) -}}
{{- end -}}
{{- end -}}
{{- if include "konnect-replay.caSource" . -}}
{{- $own = append $own "--ca-bundle=/etc/konnect-replay/ca/ca.crt" -}}
{{- end -}}
{{- include "konnect-replay.arguments" (dict "own" $own "theirs" .Values.extraArgs) -}}
{{- end -}}

{{- /* Environment variables of the operator, below `items`. */ -}}
{{- define "konnect-replay.env" -}}
{{- $own := list -}}
{{- range $name, $value := dict "RUST_LOG" .Values.log.filter "HTTPS_PROXY" .Values.konnect.proxy.httpsProxy "NO_PROXY" .Values.konnect.proxy.noProxy -}}
{{- if $value -}}
{{- $own = append $own (dict "name" $name "value" $value) -}}
{{- end -}}
{{- end -}}
{{- include "konnect-replay.eachOnce" (dict "own" $own "theirs" .Values.extraEnv "key" "name") -}}
{{- end -}}

{{- /* Fields of an endpoint of a ServiceMonitor or PodMonitor. */ -}}
{{- define "konnect-replay.endpoint" -}}
{{- $endpoint := dict "port" "http" "path" "/metrics" -}}
{{- range $field := list "interval" "scrapeTimeout" "honorLabels" "relabelings" "metricRelabelings" -}}
{{- with get $ $field -}}
{{- $_ := set $endpoint $field . -}}
{{- end -}}
{{- end -}}
{{- toYaml $endpoint -}}
{{- end -}}

{{- /* Values that contradict each other end the rendering with a sentence that says what to do. */ -}}
{{- define "konnect-replay.check" -}}
{{- $k := .Values.konnect -}}
{{- /* Without a cluster Helm makes its version up, as old as v1.20.0. A cluster's list of APIs has kinds, a made-up one has none. */ -}}
{{- if and (.Capabilities.APIVersions.Has "v1/Namespace") (semverCompare "<1.33.0-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "this chart needs Kubernetes 1.33 or newer, and the cluster is %s" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if not .Values.enabled -}}
{{- fail "enabled is false, and the chart is rendered all the same: name it in the dependency's condition, as in docs/install.md" -}}
{{- end -}}
{{- if and (or (not .Values.leaderElection.enabled) (has "--leader-elect=false" .Values.extraArgs)) (gt (int .Values.replicaCount) 1) -}}
{{- fail "leaderElection.enabled is false, so there may be one replica only: set replicaCount to 1, or leave the election on" -}}
{{- end -}}
{{- if and $k.caBundle.configMap $k.caBundle.secret -}}
{{- fail "konnect.caBundle names a ConfigMap and a Secret: name one of them" -}}
{{- end -}}
{{- if and .Values.emulator.enabled (or $k.url $k.caBundle.configMap $k.caBundle.secret) -}}
{{- fail "emulator.enabled takes the place of Konnect: leave konnect.url and konnect.caBundle empty, or turn it off" -}}
{{- end -}}
{{- if and .Values.monitoring.serviceMonitor.enabled .Values.monitoring.podMonitor.enabled -}}
{{- fail "monitoring.serviceMonitor and monitoring.podMonitor would count everything twice: enable one of them" -}}
{{- end -}}
{{- end -}}
