import WasmSystem
import WasmText
import WasmdDocuments
import WasmdOperation

/// `wasmd token`: makes a token for a configuration file.
struct TokenCommand {
    private let name: String
    private let scopes: Scopes
    private let tenant: String?
    private let printsJSON: Bool

    /// Names of scopes.
    static let scopeNames = Scopes.all.names

    init(_ arguments: ParsedArguments) throws(UsageError) {
        name =
            try arguments.read(.tokenName, expected: Self.nameRule) { text in
                Configuration.isName(text) ? text : nil
            } ?? "token"
        tenant = try arguments.read(.tenant, expected: Self.nameRule) { text in
            Configuration.isName(text) ? text : nil
        }
        scopes =
            try arguments.read(
                .scopes, expected: "a list of " + Self.scopeNames.joined(separator: ","),
                Self.scopes) ?? [.read, .write, .run]
        printsJSON = arguments.has(.json)
    }

    private static let nameRule = "1 to 64 letters, digits, '-', '_' or '.'"

    private static func scopes(_ text: String) -> Scopes? {
        var scopes: Scopes = []
        for name in text.split(separator: ",") {
            guard let scope = Scopes(name: String(name)) else { return nil }
            scopes.insert(scope)
        }
        return scopes.isEmpty ? nil : scopes
    }

    func perform(_ console: Console) -> Int32 {
        let secret: String
        do {
            secret = try Token.makeSecret()
        } catch {
            console.complain("no random numbers: \(error)")
            return ExitCode.refused
        }
        let digest = "\(Token.digest(of: secret.utf8))"
        if printsJSON {
            console.output.writeLine(
                JSON.object(
                    ("token", .string(secret)), ("name", .string(name)),
                    ("sha256", .string(digest)), ("scopes", .strings(scopes.names)),
                    ("tenant", tenant.map { .string($0) })
                ).text)
            return ExitCode.success
        }
        let list = scopes.names.map { "\"\($0)\"" }.joined(separator: ", ")
        let tenant = tenant.map { "tenant = \"\($0)\"\n" } ?? ""
        console.output.write(
            """
            \(secret)

            # The line above is the token, and is shown only now: clients send it as
            # 'Authorization: Bearer TOKEN'. This is for the configuration file:

            [[tokens]]
            name = "\(name)"
            sha256 = "\(digest)"
            scopes = [\(list)]
            \(tenant)
            """)
        return ExitCode.success
    }
}
