/// Makes the document of every case, from a seed number and the documents to start from.
struct DocumentMutator {
    let seed: UInt64
    private let documents: [[UInt8]]
    private let words: [[UInt8]]

    init(seed: UInt64, layer: Layer, files: [[UInt8]]) {
        self.seed = seed
        let own = DocumentSeeds(layer)
        documents = own.documents + (layer.isDocument ? files.filter { $0.count < 100_000 } : [])
        words = own.words
    }

    func document(of number: Int) -> (bytes: [UInt8], random: RandomNumbers) {
        var random = RandomNumbers(seed: seed, case: UInt64(number))
        guard var bytes = random.element(of: documents) else { return ([], random) }
        var rounds = 1
        while rounds < 8, random.oneIn(2) { rounds += 1 }
        for _ in 0..<rounds where bytes.count < 100_000 { mutate(&bytes, &random) }
        return (bytes, random)
    }

    private func mutate(_ bytes: inout [UInt8], _ random: inout RandomNumbers) {
        let index = random.below(bytes.count + 1)
        switch random.weighted([10, 6, 4, 1]) {
        case 0:
            let other = random.element(of: documents) ?? bytes
            ByteMutations.mutate(&bytes, other: other, &random)
        case 1: bytes.insert(contentsOf: random.element(of: words) ?? [], at: index)
        case 2:
            let word = random.element(of: words) ?? []
            bytes.replaceSubrange(index..<min(bytes.count, index + word.count), with: word)
        default:
            // What takes quadratic time does so when much of it follows on itself.
            let end = min(bytes.count, index + random.between(1...24))
            let piece =
                random.oneIn(3) ? random.element(of: words) ?? [] : Array(bytes[index..<end])
            let count = random.element(of: [20, 300, 3000]) ?? 20
            bytes.insert(
                contentsOf: Array(repeatElement(piece, count: count).joined()), at: index)
        }
    }
}

/// Documents to start from, and words that mean something in them.
struct DocumentSeeds {
    var documents: [[UInt8]] = []
    var words: [[UInt8]] = []

    init(_ layer: Layer) {
        switch layer {
        case .json:
            take(
                Self.json,
                "\" \\ { } [ ] , : {\" [[ ]] \\u \\ud800 \\udc00 \\\" -0 e+ 1e308 .5 null tru")
            words += [[0xff], [0xc3], [0xed, 0xa0, 0x80], Array("18446744073709551615".utf8)]
        case .toml:
            take(
                Self.toml,
                "[ ] [[ ]] [[t]]\n [t]\n a.b= a=1\n { } ' ''' \" \"\"\" \\ \\u \\U0010ffff # = . "
                    + ", 0x 0b 1_ _ inf nan 1979-05-27 07:32:00 T Z +01:00 \r\n true")
            words += [[0xff], [0xc3, 0xa9], [0x7f], [0x0a]]
        case .bson:
            documents = Self.bson
            words = (0...0x14).map { [$0, 0x61, 0] } + [[0x7f, 0], [0xff, 0], [0x04, 0x30, 0]]
            words += [[5, 0, 0, 0, 0], [0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0]]
            words.append([0xff, 0xff, 0xff, 0x7f])
        case .form:
            take(Self.form, "& = % + [ ] [] [a] [0] [1000] [1001] %5B %5D %00 %f a[ ]= &&")
        case .multipart:
            take(
                Self.multipart,
                "\r\n \r \n --b \r\n--b \r\n--b-- \r\n--b\r\n -- \r\n\r\n : ; name= \" \\\" "
                    + "filename=")
            words.append(Array("--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n".utf8))
        case .names:
            documents =
                Self.messages + [
                    Array("127.0.0.1 a b.c # d\n::1 a\nnameserver 10.0.0.1\noptions ndots:2\n".utf8)
                ]
            words = [
                [0xc0, 0], [0xc0, 12], [0xc0, 0xff], [63], [0x40], [0, 1, 0, 1], [0, 5, 0, 1],
            ]
            words += [
                [0, 28, 0, 1], [0, 6, 0, 1], [0, 0, 0, 60, 0, 4], [0xff, 0xff], [1, 0x61, 0],
            ]
            words += [Array("nameserver ::1\nsearch a b\noptions timeout:9\n".utf8)]
        default: break
        }
    }

    private mutating func take(_ documents: [String], _ words: String) {
        self.documents = documents.map { Array($0.utf8) }
        self.words = words.split(separator: " ").map { Array($0.utf8) } + [[0x20], [0]]
    }

    private static let json = [
        "{\"a\":[1,-2.5e3,\"x\\n\\u00e9\",{\"b\":null}],\"c\":true,\"é\":18446744073709551615}",
        "[0,1,2,3,255,256,[],{}]", "\"\\ud83c\\udf88\"", "  [ 1 , 2 ] ", "[[[[[[1]]]]]]",
        "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10,"
            + "\"k\":11,\"l\":12,\"m\":13,\"n\":14,\"o\":15,\"p\":16,\"q\":17,\"r\":18}",
        "[1e-7,5e-324,1.7976931348623157e308,0.1,123456789012345678901234567890]",
    ]

    private static let toml = [
        "a.b = 0x10\n[[t]]\nd = 1979-05-27\n[[t]]\ns = '''x'''\n[t.u]\nv = {w = [1, 2.5]}\n",
        "[server]\nlisten = [\n  \"127.0.0.1:80\", # c\n]\n[server.limits]\nbytes = 1_000\n",
        "x = \"\"\"\\\n   a\\u00e9\"\"\"\ny = inf\nz = 1979-05-27T07:32:00.5-07:00\n",
    ]

    /// An address by way of an alias; an absence with its time.
    private static let messages: [[UInt8]] = [
        [
            0, 7, 0x81, 0x80, 0, 1, 0, 3, 0, 0, 0, 0, 3, 119, 119, 119, 1, 97, 1, 98, 0, 0, 1, 0,
            1, 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 60, 0, 4, 1, 120, 0xc0, 16, 0xc0, 37, 0, 1, 0, 1, 0,
            0, 0, 60, 0, 4, 10, 0, 0, 1, 0xc0, 37, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 2,
        ],
        [
            0, 7, 0x81, 0x83, 0, 1, 0, 0, 0, 1, 0, 0, 1, 97, 1, 98, 0, 0, 28, 0, 1, 0xc0, 14, 0, 6,
            0, 1, 0, 0, 0, 60, 0, 22, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0,
            30,
        ],
    ]

    private static let form = [
        "a=1&b[c]=2&b[d][]=3&b[d][]=4&e[0][f]=x+y%20z&%C3%A9=%ff", "a&b&&=c",
        "a[0]=1&a[1]=2&a=3",
    ]

    private static let multipart = [
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--b\r\n"
            + "Content-Disposition: form-data; name=\"f\"; filename=\"f.bin\"\r\n"
            + "Content-Type: text/plain\r\n\r\nline\r\n--\r\nmore\r\n--b--\r\n",
        "preamble\r\n--b \r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--b--epilogue",
    ]

    /// Their contents; the length and the last byte are added.
    private static let bson: [[UInt8]] = [
        [
            0x10, 0x61, 0, 7, 0, 0, 0, 0x02, 0x62, 0, 2, 0, 0, 0, 0x78, 0, 0x04, 0x63, 0, 12, 0, 0,
            0, 0x08, 0x30, 0, 1, 0x0a, 0x31, 0, 0, 0x05, 0x64, 0, 1, 0, 0, 0, 0, 9, 0x03, 0x65, 0,
            5, 0, 0, 0, 0,
        ],
        [
            0x0f, 0x61, 0, 22, 0, 0, 0, 2, 0, 0, 0, 0x66, 0, 12, 0, 0, 0, 0x10, 0x78, 0, 1, 0, 0,
            0, 0, 0x0b, 0x72, 0, 0x2e, 0, 0x69, 0, 0x0e, 0x73, 0, 1, 0, 0, 0, 0, 0xff, 0x7a, 0,
            0x01, 0x64, 0, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x04, 0x78, 0, 8, 0, 0, 0, 0x0a, 0x62, 0,
            0,
        ],
        [],
    ].map { [UInt8(truncatingIfNeeded: $0.count + 5), 0, 0, 0] + $0 + [0] }
}
