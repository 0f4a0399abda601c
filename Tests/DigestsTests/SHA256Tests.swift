import Testing

import WasmdDigests

@Suite("SHA-256")
struct SHA256Tests {
    @Test(
        "the examples of FIPS 180-4 and of NIST's example values",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                    + "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
                "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"
            ),
        ])
    func examples(text: String, expected: String) {
        #expect(SHA256.hash(Array(text.utf8)).description == expected)
    }

    @Test("a million times a")
    func million() {
        let bytes = [UInt8](repeating: UInt8(ascii: "a"), count: 10_000)
        var hash = SHA256()
        for _ in 0..<100 { hash.update(bytes.span) }
        #expect(
            hash.finish().description
                == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    /// The values are those of Python's `hashlib`, for the bytes 0, 1, 2 ... of each length.
    @Test(
        "lengths on both sides of a block's padding",
        arguments: [
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (54, "675f28acc0b90a72d1c3a570fe83ac565555db358cf01826dc8eefb2bf7ca0f3"),
            (55, "463eb28e72f82e0a96c0a4cc53690c571281131f672aa229e0d45ae59b598b59"),
            (56, "da2ae4d6b36748f2a318f23e7ab1dfdf45acdc9d049bd80e59de82a60895f562"),
            (57, "2fe741af801cc238602ac0ec6a7b0c3a8a87c7fc7d7f02a3fe03d1c12eac4d8f"),
            (63, "29af2686fd53374a36b0846694cc342177e428d1647515f078784d69cdb9e488"),
            (64, "fdeab9acf3710362bd2658cdc9a29e8f9c757fcf9811603a8c447cd1d9151108"),
            (65, "4bfd2c8b6f1eec7a2afeb48b934ee4b2694182027e6d0fc075074f2fabb31781"),
            (119, "da18797ed7c3a777f0847f429724a2d8cd5138e6ed2895c3fa1a6d39d18f7ec6"),
            (120, "f52b23db1fbb6ded89ef42a23ce0c8922c45f25c50b568a93bf1c075420bbb7c"),
            (127, "92ca0fa6651ee2f97b884b7246a562fa71250fedefe5ebf270d31c546bfea976"),
            (128, "471fb943aa23c511f6f72f8d1652d9c880cfa392ad80503120547703e56a2be5"),
            (129, "5099c6a56203f9687f7d33f4bfdf576d31dc91f6b695ecea38b2770c87631135"),
            (1000, "a8af099bf2e878609558dbf69d8f88f4a31040a8cf84b549a0cfa912f12ffc3f"),
        ])
    func lengths(count: Int, expected: String) {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
        #expect(SHA256.hash(bytes.span).description == expected)
    }

    @Test("pieces of any length give the same digest")
    func pieces() {
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        let expected = SHA256.hash(bytes)
        for length in 1...130 {
            var hash = SHA256()
            for start in stride(from: 0, to: bytes.count, by: length) {
                hash.update(bytes.span.extracting(start..<min(start + length, bytes.count)))
                hash.update([UInt8]().span)
            }
            #expect(hash.finish() == expected)
        }
    }

    @Test("bytes may follow after a digest was taken")
    func continued() {
        var hash = SHA256()
        hash.update(Array("ab".utf8).span)
        #expect(hash.finish() == SHA256.hash(Array("ab".utf8)))
        hash.update(Array("c".utf8).span)
        #expect(hash.finish() == SHA256.hash(Array("abc".utf8)))
    }

    @Test("a digest from its digits and from its bytes")
    func forms() throws {
        let digest = SHA256.hash(Array("abc".utf8))
        let text = digest.description
        #expect(SHA256.Digest(hex: text) == digest)
        #expect(SHA256.Digest(hex: text.uppercased()) == digest)
        #expect(SHA256.Digest(bytes: digest.bytes.span) == digest)
        #expect(digest.bytes.prefix(4) == [0xba, 0x78, 0x16, 0xbf])
        #expect(digest.bytes.count == 32)
        #expect(SHA256.Digest(hex: "") == nil)
        #expect(SHA256.Digest(hex: text.dropLast()) == nil)
        #expect(SHA256.Digest(hex: text + "0") == nil)
        #expect(SHA256.Digest(hex: "g" + text.dropFirst()) == nil)
        #expect(SHA256.Digest(hex: "+" + text.dropFirst()) == nil)
        // A digit of another script, which has a numeric value.
        #expect(SHA256.Digest(hex: "\u{0661}" + text.dropFirst()) == nil)
        #expect(SHA256.Digest(bytes: [UInt8](repeating: 0, count: 31).span) == nil)
        #expect(SHA256.Digest(bytes: [UInt8](repeating: 0, count: 33).span) == nil)
    }

    @Test("digests have the order of their digits")
    func order() throws {
        let digests = (0..<100).map { SHA256.hash([UInt8($0)]) }
        #expect(digests.sorted().map(\.description) == digests.map(\.description).sorted())
        #expect(Set(digests).count == 100)
        for place in 0..<64 {
            var digits = Array(repeating: "0", count: 64)
            let zero = try #require(SHA256.Digest(hex: digits.joined()))
            digits[place] = "1"
            let one = try #require(SHA256.Digest(hex: digits.joined()))
            #expect(zero != one)
            #expect(zero < one)
            #expect(one.description == digits.joined())
        }
    }
}
