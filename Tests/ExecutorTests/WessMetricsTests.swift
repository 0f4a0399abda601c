import Testing
import WasmdExecutor

@Suite struct WessMetricsTests {
    /// The families of *wess*: their types, and the labels that their series have.
    private static let families: [(name: String, type: String, label: String?)] = [
        ("wess_http_requests_total", "counter", "path"),
        ("wess_concurrent_connections", "gauge", nil),
        ("wess_reader_channel_queue", "gauge", nil),
        ("wess_writer_channel_queue", "gauge", nil),
        ("wess_runner_channel_queue", "gauge", nil),
        ("wess_http_request_latency_seconds", "histogram", nil),
        ("wess_error_count_total", "counter", nil),
        ("wess_database_operations_total", "counter", "operation"),
        ("wess_database_operation_duration_seconds", "histogram", nil),
        ("wess_cpu_usage", "gauge", nil),
        ("wess_memory_usage", "gauge", nil),
        ("wess_database_size_bytes", "gauge", nil),
        ("wess_wasm_compile_time_seconds", "histogram", "wasm_module"),
        ("wess_wasm_execution_time_seconds", "histogram", "function_name"),
    ]

    /// The value of a series, as it is written.
    private func value(_ series: String, _ text: String) -> Double? {
        for line in text.split(separator: "\n") where line.hasPrefix(series + " ") {
            return Double(line.dropFirst(series.utf8.count + 1))
        }
        return nil
    }

    @Test func familiesAreThereFromTheStart() throws {
        try ExecutorHouse.open(surfaces: { [WessSurface($0)] }) { house in
            let answer = try await house.send(.get, "/metrics")
            #expect(answer.status == 200)
            #expect(answer.field("content-type")?.hasPrefix("text/plain") == true)
            let lines = answer.text.split(separator: "\n")
            for (name, type, _) in Self.families {
                #expect(lines.contains { $0.hasPrefix("# HELP \(name) ") }, "\(name)")
                #expect(lines.contains("# TYPE \(name) \(type)"), "\(name)")
            }
            #expect(lines.filter { $0.hasPrefix("# TYPE") }.count == Self.families.count)
            for path in ["/", "/:id"] {
                #expect(value("wess_http_requests_total{path=\"\(path)\"}", answer.text) == 0)
            }
            #expect(value("wess_database_operations_total{operation=\"read\"}", answer.text) == 0)
            #expect(value("wess_error_count_total", answer.text) == 0)
            #expect(value("wess_http_request_latency_seconds_count", answer.text) == 0)
            #expect((value("wess_memory_usage", answer.text) ?? 0) > 1_000_000)
            // Twelve buckets that double, and infinity.
            let buckets = lines.filter {
                $0.hasPrefix("wess_http_request_latency_seconds_bucket{le=")
            }
            let bounds = buckets.compactMap { line in
                line.split(separator: "\"").dropFirst().first.flatMap { Double($0) }
            }
            #expect(bounds.count == 13 && bounds[0] == 0.00005 && bounds[11] == 0.1024)
        }
    }

    @Test func requestsAreCounted() throws {
        try ExecutorHouse.open(surfaces: { [WessSurface($0)] }) { house in
            let body =
                #"{"wasm":\#(json(try module(adder))),"metadata":{"functionName":"add","#
                + #""returnType":["I32"],"args":["I32","I32"]}}"#
            let stored = try await house.send(.post, "/", body)
            let id = stored.json["message"]?["id"]?.stringValue ?? ""
            for _ in 0..<3 { _ = try await house.send(.post, "/\(id)", "[1,2]") }
            _ = try await house.send(.get, "/nothing")
            _ = try await house.send(.get, "/no/such/path")
            let text = try await house.send(.get, "/metrics").text
            #expect(value("wess_http_requests_total{path=\"/\"}", text) == 1)
            #expect(value("wess_http_requests_total{path=\"/:id\"}", text) == 4)
            #expect(value("wess_http_requests_total{path=\"/metrics\"}", text) == 1)
            #expect(value("wess_concurrent_connections", text) == 1)
            #expect(value("wess_error_count_total", text) == 2)
            #expect(value("wess_http_request_latency_seconds_count", text) == 6)
            #expect(value("wess_database_operations_total{operation=\"write\"}", text) == 1)
            #expect(
                (value("wess_database_operations_total{operation=\"read\"}", text) ?? 0) >= 3)
            #expect((value("wess_database_operation_duration_seconds_sum", text) ?? 0) > 0)
            #expect((value("wess_database_size_bytes", text) ?? 0) > 0)
            let compiled = "wess_wasm_compile_time_seconds_count{wasm_module=\"\(id)\"}"
            #expect(value(compiled, text) == 3)
            let ran = "wess_wasm_execution_time_seconds_count{function_name=\"add\"}"
            #expect(value(ran, text) == 3)
            // No series has other labels.
            for line in text.split(separator: "\n") where !line.hasPrefix("#") {
                let name = line.prefix { $0 != "{" && $0 != " " }
                let family = Self.families.first { name.hasPrefix($0.name) }
                guard line.contains("{") else { continue }
                let labels = line.drop { $0 != "{" }.dropFirst().split(separator: ",").map {
                    String($0.prefix { $0 != "=" })
                }
                #expect(labels.allSatisfy { $0 == "le" || $0 == family?.label }, "\(line)")
            }
        }
    }
}
