import WasmdDocuments
import WasmdHTTP
import WasmdHTTPServer

/// `/healthz`, `/readyz`, `/metrics` and `/openapi.json`.
public enum HealthSurface {
    /// - Parameters:
    ///   - sandbox: what the kernel enforces for the process.
    ///   - document: the OpenAPI document of the listener's interface.
    public static func make(
        _ readiness: Readiness, _ metrics: MetricRegistry, _ sandbox: String,
        document: @escaping @Sendable () -> Document
    ) -> RoutedSurface {
        let healthy = healthy(sandbox)
        return RoutedSurface(
            "operation",
            [
                .init(table[0]) { try await $0.response.respond(.ok, healthy) },
                .init(table[1]) { request in
                    let obstacles = readiness.obstacles
                    try await request.respond(
                        .object([
                            .init("ready", .boolean(obstacles.isEmpty)),
                            .init("reasons", .array(obstacles.map { .string($0) })),
                        ]), obstacles.isEmpty ? .ok : .serviceUnavailable)
                },
                .init(table[2]) { request in
                    var head = ResponseHead(.ok)
                    try head.fields.append("Content-Type", MetricRegistry.mediaType)
                    try head.fields.append("Cache-Control", "no-store")
                    try await request.response.respond(head, metrics.text())
                },
                .init(table[3]) { try await $0.respond(document()) },
            ])
    }

    private static func healthy(_ sandbox: String) -> String { "ok\nsandbox: \(sandbox)\n" }

    /// The answer to `GET /healthz`, for `HTTPServer`: it is made once, so that being asked every
    /// second by everybody costs nothing. It is neither counted nor logged.
    public static func fixedAnswers(
        _ sandbox: String
    ) throws(WritingFault) -> HTTPServer.FixedAnswers {
        var head = ResponseHead(.ok)
        try head.fields.append("Content-Type", "text/plain; charset=utf-8")
        try head.fields.append("Cache-Control", "no-store")
        let answer = try FixedAnswer(head, body: Array(healthy(sandbox).utf8))
        return { head in
            guard head.method == .get || head.method == .head else { return nil }
            return head.target.path.elementsEqual("/healthz".utf8) ? answer : nil
        }
    }

    /// The part of the OpenAPI document.
    public static let api = APITable(
        "operation", "Whether the server works, and how much it does.", table,
        schemas: [
            .init(
                "Readiness",
                APISchema.object([
                    "ready": APISchema.type("boolean"),
                    "reasons": APISchema.array(
                        APISchema.type("string", "Why it wants no requests.")),
                ]))
        ])

    private static let table: [APIOperation] = [
        APIOperation(.get, "/healthz", "health", "Whether the process works.", needs: nil)
            .answering(
                .init(
                    200, "It does: 'ok', and a line with what the kernel enforces for the process.",
                    .init("text/plain", APISchema.type("string")))),
        APIOperation(
            .get, "/readyz", "readiness",
            "Whether the server wants requests: not while it starts, drains or stops, or while its "
                + "store cannot be written.", needs: nil
        ).answering(
            .init(200, "It does.", .json("Readiness")),
            .init(503, "It does not.", .json("Readiness"))),
        APIOperation(
            .get, "/metrics", "metrics", "Numbers of the server, as text for Prometheus.",
            needs: .read
        ).answering(
            .init(
                200, "Text exposition format, version 0.0.4.",
                .init("text/plain", APISchema.type("string")))),
        APIOperation(
            .get, "/openapi.json", "openapi", "This document.", needs: nil
        ).answering(
            .init(200, "OpenAPI 3.1.", .init("application/json", APISchema.type("object")))),
    ]
}
