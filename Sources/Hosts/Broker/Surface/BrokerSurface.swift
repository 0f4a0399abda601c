import WasmdDocuments
import WasmdEventLoop
import WasmdGuests
import WasmdHTTP
import WasmdHTTPServer
import WasmdOperation

/// `/admin/topics` and `/admin/subscriptions`: for operators with the scope `admin`.
public enum BrokerSurface {
    /// - Parameters:
    ///   - bridges: those of the broker.
    ///   - isStopping: whether event streams are to end.
    public static func make(
        _ broker: Broker, bridges: [MQTTBridge] = [],
        isStopping: @escaping @Sendable () -> Bool
    ) -> RoutedSurface {
        let house = TopicAdministration(broker: broker, bridges: bridges, isStopping: isStopping)
        let handlers: [String: RoutedSurface.Handler] = [
            "topics": house.list, "publish": house.publish, "readTopic": house.read,
            "lastValue": house.lastValue, "followTopics": house.follow,
            "subscriptions": house.subscriptions, "removeSubscription": house.removeSubscription,
        ]
        let rows = api.operations.compactMap { operation in
            handlers[operation.name].map { RoutedSurface.Row(operation, $0) }
        }
        return RoutedSurface("broker", rows)
    }

    private static let topic = APIOperation.Parameter(
        "topic", .query, .text, "A topic, for example sensors/1/state.", isRequired: true)

    public static let api = APITable(
        "broker", "Topics that services and clients exchange messages by.",
        [
            APIOperation(
                .get, "/admin/topics", "topics", "Topics, totals and bridges.", needs: .admin
            )
            .answering(.init(200, "Topics.", .json("Topics"))),
            APIOperation(
                .post, "/admin/topics/publish", "publish",
                "Publishes the body; answers when it is accepted, and durable if the topic is.",
                needs: .admin
            ).with(
                topic,
                .init("retain", .query, .boolean, "Keep it as the last value of the topic.")
            ).taking(.init("application/octet-stream"), optional: true).answering(
                .init(204, "Published."), .init(403, "Not allowed."),
                .init(404, "There is no such topic, and it cannot be made."),
                .init(413, "The message is too large."), .init(503, "A limit is reached.")),
            APIOperation(
                .post, "/admin/topics/read", "readTopic", "Takes the oldest message away.",
                needs: .admin
            ).with(topic).answering(
                .init(200, "The message.", .init("application/octet-stream")),
                .init(204, "The queue is empty."), .init(404, "There is no such topic.")),
            APIOperation(
                .get, "/admin/topics/value", "lastValue", "The last value that was retained.",
                needs: .admin
            ).with(topic).answering(
                .init(200, "The value.", .init("application/octet-stream")),
                .init(404, "None is kept.")),
            APIOperation(
                .get, "/admin/topics/follow", "followTopics",
                "Messages as server-sent events, from now on.", needs: .admin
            ).with(
                .init(
                    "topic", .query, .text,
                    "A topic, or a pattern with + and #; all topics without it."),
                .init("retained", .query, .boolean, "Begin with the last values of the topics.")
            ).answering(
                .init(
                    200, "Events 'message' and 'lost'.",
                    .init("text/event-stream", APISchema.type("string")))),
            APIOperation(
                .get, "/admin/subscriptions", "subscriptions", "Who waits for messages.",
                needs: .admin
            ).answering(.init(200, "Subscriptions.", .json("Subscriptions"))),
            APIOperation(
                .delete, "/admin/subscriptions", "removeSubscription",
                "Ends a named subscription, and drops what it keeps.", needs: .admin
            ).with(.init("name", .query, .text, "Its name.", isRequired: true))
                .answering(.init(204, "It has ended."), .init(404, "There is none.")),
        ], schemas: schemas)

    private static let integer = APISchema.type("integer")
    private static let text = APISchema.type("string")
    private static let boolean = APISchema.type("boolean")

    private static let schemas: [Document.Member] = [
        .init(
            "Topics",
            APISchema.object([
                "topics": APISchema.array(
                    APISchema.object([
                        "name": text, "configured": boolean, "durable": boolean,
                        "queue_limit": integer, "queued": integer, "queued_bytes": integer,
                        "subscribers": integer, "retained": boolean, "published": integer,
                        "published_bytes": integer, "read": integer, "dropped": integer,
                        "refused": integer,
                    ])),
                "messages": integer, "bytes": integer, "subscribers": integer,
                "published": integer, "delivered": integer, "redelivered": integer,
                "dropped": integer, "refused": integer, "cut_off": integer,
                "bridges": APISchema.array(
                    APISchema.object([
                        "name": text, "connected": boolean, "connections": integer,
                        "sent": integer, "received": integer, "refused": integer,
                        "dropped": integer, "problem?": text,
                    ])),
            ])),
        .init(
            "Subscriptions",
            APISchema.object([
                "subscriptions": APISchema.array(
                    APISchema.object([
                        "name?": text, "topics": APISchema.array(text), "attached": boolean,
                        "acknowledges": boolean, "waiting": integer, "unacknowledged": integer,
                        "bytes": integer,
                    ]))
            ])),
    ]
}
