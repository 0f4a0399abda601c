import WasmdDocuments

extension Configuration {
    /// What operators may see of the settings: limits, and tokens without what their secrets are
    /// found by.
    public var operatorDocument: Document {
        let shown = ["limits.", "rates.", "outbound.", "shutdown."]
        let settings = facts.filter { fact in shown.contains { fact.path.hasPrefix($0) } }
        return .object([
            .init(
                "limits",
                .array(
                    settings.map {
                        .object([
                            .init("name", .string($0.path)), .init("value", .string($0.text)),
                            .init("reloadable", .boolean($0.isReloadable)),
                        ])
                    })),
            .init("tokens", .array(tokens.map(Self.document))),
        ])
    }

    private static func document(_ token: Token) -> Document {
        var members: [Document.Member] = [
            .init("name", .string(token.name)),
            .init("scopes", .array(token.scopes.names.map { .string($0) })),
        ]
        if let tenant = token.tenant { members.append(.init("tenant", .string(tenant))) }
        if let rate = token.rate { members.append(.init("rate", .double(rate.rate))) }
        return .object(members)
    }
}
