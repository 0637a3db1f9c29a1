import Wire

/// What `/metrics` shows: the counters of this coordinator and the state of the queue.
enum MetricsPage {
    static func text(_ parts: CoordinatorParts) async -> String {
        var page = PrometheusText()
        let counts = parts.telemetry.snapshot
        // A scrape must also work while the database does not: that is when it is looked at.
        let queue = await depth(parts.store)
        page.add("qsmflow_database_up", .gauge, "1 while the database answers.", queue == nil ? 0 : 1)
        if let queue {
            page.add(
                "qsmflow_tasks", .gauge, "Tasks of runs that are not finished, by where they are.",
                [
                    ([("state", "ready")], Double(queue.ready)), ([("state", "delayed")], Double(queue.delayed)),
                    ([("state", "leased")], Double(queue.leased)), ([("state", "waiting")], Double(queue.waiting)),
                ])
            page.add("qsmflow_sessions", .gauge, "Worker sessions that are alive.", Double(queue.sessions))
        }
        page.add("qsmflow_waiting_claims", .gauge, "Claims that wait for a task.", Double(parts.ready.waiting))
        page.add("qsmflow_claims_total", .counter, "Claims received.", Double(counts.claims))
        page.add("qsmflow_empty_claims_total", .counter, "Claims answered with nothing.", Double(counts.emptyClaims))
        page.add("qsmflow_leases_total", .counter, "Leases given.", Double(counts.leases))
        page.add("qsmflow_expired_leases_total", .counter, "Leases taken back.", Double(counts.expiredLeases))
        page.add("qsmflow_released_leases_total", .counter, "Leases handed back.", Double(counts.releasedLeases))
        page.add("qsmflow_promoted_tasks_total", .counter, "Tasks whose backoff ended.", Double(counts.promoted))
        page.add(
            "qsmflow_completions_total", .counter, "Completions by verdict; stale ones were refused.",
            [CompletionVerdict.accepted, .duplicate, .stale, .missingArtifact].map { verdict in
                ([("verdict", verdict.rawValue)], Double(counts.verdicts[verdict] ?? 0))
            })
        page.add(
            "qsmflow_attempts_total", .counter, "Accepted completions by outcome.",
            counts.outcomes.sorted { $0.key < $1.key }.map { ([("outcome", $0.key)], Double($0.value)) })
        page.add(
            "qsmflow_uploads_total", .counter, "Uploads by result.",
            counts.uploads.sorted { $0.key < $1.key }.map { ([("result", $0.key)], Double($0.value)) })
        page.add("qsmflow_uploaded_bytes_total", .counter, "Bytes stored.", Double(counts.uploadedBytes))
        page.add("qsmflow_served_bytes_total", .counter, "Bytes of artifacts sent.", Double(counts.servedBytes))
        page.add(
            "qsmflow_collected_artifacts_total", .counter, "Artifacts removed.", Double(counts.collectedArtifacts))
        page.add("qsmflow_collected_bytes_total", .counter, "Bytes freed.", Double(counts.collectedBytes))
        page.add(
            "qsmflow_service_failures_total", .counter, "Failed rounds of background services.",
            counts.serviceFailures.sorted { $0.key < $1.key }.map { ([("service", $0.key)], Double($0.value)) })
        let requests = counts.requests.sorted {
            ($0.key.route, $0.key.method, $0.key.status) < ($1.key.route, $1.key.method, $1.key.status)
        }
        page.addHistogram(
            "qsmflow_http_request_seconds", "Time from request to the head of the answer.", bounds: Telemetry.bounds,
            requests.map { key, value in
                (
                    [("method", key.method), ("route", key.route), ("status", "\(key.status)")], value.counts, value.sum
                )
            })
        return page.text
    }

    /// Nil when the database does not answer in time for a scrape.
    private static func depth(_ store: Store) async -> QueueDepth? {
        await withTaskGroup(of: QueueDepth?.self) { group in
            group.addTask {
                // That it failed is what the metric says.
                try? await store.queueDepth()
            }
            group.addTask {
                // Ends early only by cancellation, when the answer is there.
                try? await Task.sleep(for: .seconds(3))
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
