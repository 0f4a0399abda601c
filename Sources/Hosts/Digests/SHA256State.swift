/// The state of SHA-256 between two blocks, and the function that adds a block to it.
///
/// All 64 rounds are written out, so that the state's eight words and the last 16 words of the
/// message schedule are variables with fixed names, which the compiler keeps in registers as far as
/// there are some, and the constants are parts of the instructions.
struct SHA256State: Sendable {
    // Fractional parts of the square roots of the first 8 primes.
    private var a: UInt32 = 0x6a09_e667
    private var b: UInt32 = 0xbb67_ae85
    private var c: UInt32 = 0x3c6e_f372
    private var d: UInt32 = 0xa54f_f53a
    private var e: UInt32 = 0x510e_527f
    private var f: UInt32 = 0x9b05_688c
    private var g: UInt32 = 0x1f83_d9ab
    private var h: UInt32 = 0x5be0_cd19

    init() {}

    /// The state as the hash's bytes.
    var digest: SHA256.Digest {
        func pair(_ high: UInt32, _ low: UInt32) -> UInt64 { UInt64(high) &<< 32 | UInt64(low) }
        return SHA256.Digest([pair(a, b), pair(c, d), pair(e, f), pair(g, h)])
    }

    /// Adds the whole blocks of 64 bytes at the beginning of `bytes`.
    mutating func add(blocksOf bytes: RawSpan) {
        var rest = bytes
        while rest.byteCount >= 64 {
            var next = self
            next.runRounds(rest)
            a &+= next.a
            b &+= next.b
            c &+= next.c
            d &+= next.d
            e &+= next.e
            f &+= next.f
            g &+= next.g
            h &+= next.h
            rest = rest.extracting(droppingFirst: 64)
        }
    }

    @inline(__always)
    private func word(_ block: RawSpan, _ index: Int) -> UInt32 {
        UInt32(
            bigEndian: unsafe block.unsafeLoadUnaligned(
                fromByteOffset: index &* 4, as: UInt32.self))
    }

    @inline(__always)
    private func rotated(_ word: UInt32, _ count: UInt32) -> UInt32 {
        word &>> count | word &<< (32 &- count)
    }

    @inline(__always)
    private func mixedEarly(_ word: UInt32) -> UInt32 {
        rotated(word, 7) ^ rotated(word, 18) ^ word &>> 3
    }

    @inline(__always)
    private func mixedLate(_ word: UInt32) -> UInt32 {
        rotated(word, 17) ^ rotated(word, 19) ^ word &>> 10
    }

    /// One round. Instead of moving each variable to the next, the caller names them in turn: only
    /// two get new values.
    @inline(__always)
    private func round(
        _ a: UInt32, _ b: UInt32, _ c: UInt32, _ d: inout UInt32,
        _ e: UInt32, _ f: UInt32, _ g: UInt32, _ h: inout UInt32, _ word: UInt32
    ) {
        let choice = g ^ (e & (f ^ g))
        let majority = (a & b) | (c & (a | b))
        let sum = h &+ word &+ choice &+ (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25))
        d = d &+ sum
        h = sum &+ majority &+ (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22))
    }

    /// The 64 rounds for a block of at least 64 bytes. The constants are fractional parts of the
    /// cube roots of the first 64 primes.
    private mutating func runRounds(_ block: RawSpan) {
        var w0 = word(block, 0)
        var w1 = word(block, 1)
        var w2 = word(block, 2)
        var w3 = word(block, 3)
        var w4 = word(block, 4)
        var w5 = word(block, 5)
        var w6 = word(block, 6)
        var w7 = word(block, 7)
        var w8 = word(block, 8)
        var w9 = word(block, 9)
        var w10 = word(block, 10)
        var w11 = word(block, 11)
        var w12 = word(block, 12)
        var w13 = word(block, 13)
        var w14 = word(block, 14)
        var w15 = word(block, 15)
        var (a, b, c, d, e, f, g, h) = (a, b, c, d, e, f, g, h)
        round(a, b, c, &d, e, f, g, &h, w0 &+ 0x428a_2f98)
        round(h, a, b, &c, d, e, f, &g, w1 &+ 0x7137_4491)
        round(g, h, a, &b, c, d, e, &f, w2 &+ 0xb5c0_fbcf)
        round(f, g, h, &a, b, c, d, &e, w3 &+ 0xe9b5_dba5)
        round(e, f, g, &h, a, b, c, &d, w4 &+ 0x3956_c25b)
        round(d, e, f, &g, h, a, b, &c, w5 &+ 0x59f1_11f1)
        round(c, d, e, &f, g, h, a, &b, w6 &+ 0x923f_82a4)
        round(b, c, d, &e, f, g, h, &a, w7 &+ 0xab1c_5ed5)
        round(a, b, c, &d, e, f, g, &h, w8 &+ 0xd807_aa98)
        round(h, a, b, &c, d, e, f, &g, w9 &+ 0x1283_5b01)
        round(g, h, a, &b, c, d, e, &f, w10 &+ 0x2431_85be)
        round(f, g, h, &a, b, c, d, &e, w11 &+ 0x550c_7dc3)
        round(e, f, g, &h, a, b, c, &d, w12 &+ 0x72be_5d74)
        round(d, e, f, &g, h, a, b, &c, w13 &+ 0x80de_b1fe)
        round(c, d, e, &f, g, h, a, &b, w14 &+ 0x9bdc_06a7)
        round(b, c, d, &e, f, g, h, &a, w15 &+ 0xc19b_f174)
        w0 = w0 &+ mixedEarly(w1) &+ w9 &+ mixedLate(w14)
        round(a, b, c, &d, e, f, g, &h, w0 &+ 0xe49b_69c1)
        w1 = w1 &+ mixedEarly(w2) &+ w10 &+ mixedLate(w15)
        round(h, a, b, &c, d, e, f, &g, w1 &+ 0xefbe_4786)
        w2 = w2 &+ mixedEarly(w3) &+ w11 &+ mixedLate(w0)
        round(g, h, a, &b, c, d, e, &f, w2 &+ 0x0fc1_9dc6)
        w3 = w3 &+ mixedEarly(w4) &+ w12 &+ mixedLate(w1)
        round(f, g, h, &a, b, c, d, &e, w3 &+ 0x240c_a1cc)
        w4 = w4 &+ mixedEarly(w5) &+ w13 &+ mixedLate(w2)
        round(e, f, g, &h, a, b, c, &d, w4 &+ 0x2de9_2c6f)
        w5 = w5 &+ mixedEarly(w6) &+ w14 &+ mixedLate(w3)
        round(d, e, f, &g, h, a, b, &c, w5 &+ 0x4a74_84aa)
        w6 = w6 &+ mixedEarly(w7) &+ w15 &+ mixedLate(w4)
        round(c, d, e, &f, g, h, a, &b, w6 &+ 0x5cb0_a9dc)
        w7 = w7 &+ mixedEarly(w8) &+ w0 &+ mixedLate(w5)
        round(b, c, d, &e, f, g, h, &a, w7 &+ 0x76f9_88da)
        w8 = w8 &+ mixedEarly(w9) &+ w1 &+ mixedLate(w6)
        round(a, b, c, &d, e, f, g, &h, w8 &+ 0x983e_5152)
        w9 = w9 &+ mixedEarly(w10) &+ w2 &+ mixedLate(w7)
        round(h, a, b, &c, d, e, f, &g, w9 &+ 0xa831_c66d)
        w10 = w10 &+ mixedEarly(w11) &+ w3 &+ mixedLate(w8)
        round(g, h, a, &b, c, d, e, &f, w10 &+ 0xb003_27c8)
        w11 = w11 &+ mixedEarly(w12) &+ w4 &+ mixedLate(w9)
        round(f, g, h, &a, b, c, d, &e, w11 &+ 0xbf59_7fc7)
        w12 = w12 &+ mixedEarly(w13) &+ w5 &+ mixedLate(w10)
        round(e, f, g, &h, a, b, c, &d, w12 &+ 0xc6e0_0bf3)
        w13 = w13 &+ mixedEarly(w14) &+ w6 &+ mixedLate(w11)
        round(d, e, f, &g, h, a, b, &c, w13 &+ 0xd5a7_9147)
        w14 = w14 &+ mixedEarly(w15) &+ w7 &+ mixedLate(w12)
        round(c, d, e, &f, g, h, a, &b, w14 &+ 0x06ca_6351)
        w15 = w15 &+ mixedEarly(w0) &+ w8 &+ mixedLate(w13)
        round(b, c, d, &e, f, g, h, &a, w15 &+ 0x1429_2967)
        w0 = w0 &+ mixedEarly(w1) &+ w9 &+ mixedLate(w14)
        round(a, b, c, &d, e, f, g, &h, w0 &+ 0x27b7_0a85)
        w1 = w1 &+ mixedEarly(w2) &+ w10 &+ mixedLate(w15)
        round(h, a, b, &c, d, e, f, &g, w1 &+ 0x2e1b_2138)
        w2 = w2 &+ mixedEarly(w3) &+ w11 &+ mixedLate(w0)
        round(g, h, a, &b, c, d, e, &f, w2 &+ 0x4d2c_6dfc)
        w3 = w3 &+ mixedEarly(w4) &+ w12 &+ mixedLate(w1)
        round(f, g, h, &a, b, c, d, &e, w3 &+ 0x5338_0d13)
        w4 = w4 &+ mixedEarly(w5) &+ w13 &+ mixedLate(w2)
        round(e, f, g, &h, a, b, c, &d, w4 &+ 0x650a_7354)
        w5 = w5 &+ mixedEarly(w6) &+ w14 &+ mixedLate(w3)
        round(d, e, f, &g, h, a, b, &c, w5 &+ 0x766a_0abb)
        w6 = w6 &+ mixedEarly(w7) &+ w15 &+ mixedLate(w4)
        round(c, d, e, &f, g, h, a, &b, w6 &+ 0x81c2_c92e)
        w7 = w7 &+ mixedEarly(w8) &+ w0 &+ mixedLate(w5)
        round(b, c, d, &e, f, g, h, &a, w7 &+ 0x9272_2c85)
        w8 = w8 &+ mixedEarly(w9) &+ w1 &+ mixedLate(w6)
        round(a, b, c, &d, e, f, g, &h, w8 &+ 0xa2bf_e8a1)
        w9 = w9 &+ mixedEarly(w10) &+ w2 &+ mixedLate(w7)
        round(h, a, b, &c, d, e, f, &g, w9 &+ 0xa81a_664b)
        w10 = w10 &+ mixedEarly(w11) &+ w3 &+ mixedLate(w8)
        round(g, h, a, &b, c, d, e, &f, w10 &+ 0xc24b_8b70)
        w11 = w11 &+ mixedEarly(w12) &+ w4 &+ mixedLate(w9)
        round(f, g, h, &a, b, c, d, &e, w11 &+ 0xc76c_51a3)
        w12 = w12 &+ mixedEarly(w13) &+ w5 &+ mixedLate(w10)
        round(e, f, g, &h, a, b, c, &d, w12 &+ 0xd192_e819)
        w13 = w13 &+ mixedEarly(w14) &+ w6 &+ mixedLate(w11)
        round(d, e, f, &g, h, a, b, &c, w13 &+ 0xd699_0624)
        w14 = w14 &+ mixedEarly(w15) &+ w7 &+ mixedLate(w12)
        round(c, d, e, &f, g, h, a, &b, w14 &+ 0xf40e_3585)
        w15 = w15 &+ mixedEarly(w0) &+ w8 &+ mixedLate(w13)
        round(b, c, d, &e, f, g, h, &a, w15 &+ 0x106a_a070)
        w0 = w0 &+ mixedEarly(w1) &+ w9 &+ mixedLate(w14)
        round(a, b, c, &d, e, f, g, &h, w0 &+ 0x19a4_c116)
        w1 = w1 &+ mixedEarly(w2) &+ w10 &+ mixedLate(w15)
        round(h, a, b, &c, d, e, f, &g, w1 &+ 0x1e37_6c08)
        w2 = w2 &+ mixedEarly(w3) &+ w11 &+ mixedLate(w0)
        round(g, h, a, &b, c, d, e, &f, w2 &+ 0x2748_774c)
        w3 = w3 &+ mixedEarly(w4) &+ w12 &+ mixedLate(w1)
        round(f, g, h, &a, b, c, d, &e, w3 &+ 0x34b0_bcb5)
        w4 = w4 &+ mixedEarly(w5) &+ w13 &+ mixedLate(w2)
        round(e, f, g, &h, a, b, c, &d, w4 &+ 0x391c_0cb3)
        w5 = w5 &+ mixedEarly(w6) &+ w14 &+ mixedLate(w3)
        round(d, e, f, &g, h, a, b, &c, w5 &+ 0x4ed8_aa4a)
        w6 = w6 &+ mixedEarly(w7) &+ w15 &+ mixedLate(w4)
        round(c, d, e, &f, g, h, a, &b, w6 &+ 0x5b9c_ca4f)
        w7 = w7 &+ mixedEarly(w8) &+ w0 &+ mixedLate(w5)
        round(b, c, d, &e, f, g, h, &a, w7 &+ 0x682e_6ff3)
        w8 = w8 &+ mixedEarly(w9) &+ w1 &+ mixedLate(w6)
        round(a, b, c, &d, e, f, g, &h, w8 &+ 0x748f_82ee)
        w9 = w9 &+ mixedEarly(w10) &+ w2 &+ mixedLate(w7)
        round(h, a, b, &c, d, e, f, &g, w9 &+ 0x78a5_636f)
        w10 = w10 &+ mixedEarly(w11) &+ w3 &+ mixedLate(w8)
        round(g, h, a, &b, c, d, e, &f, w10 &+ 0x84c8_7814)
        w11 = w11 &+ mixedEarly(w12) &+ w4 &+ mixedLate(w9)
        round(f, g, h, &a, b, c, d, &e, w11 &+ 0x8cc7_0208)
        w12 = w12 &+ mixedEarly(w13) &+ w5 &+ mixedLate(w10)
        round(e, f, g, &h, a, b, c, &d, w12 &+ 0x90be_fffa)
        w13 = w13 &+ mixedEarly(w14) &+ w6 &+ mixedLate(w11)
        round(d, e, f, &g, h, a, b, &c, w13 &+ 0xa450_6ceb)
        w14 = w14 &+ mixedEarly(w15) &+ w7 &+ mixedLate(w12)
        round(c, d, e, &f, g, h, a, &b, w14 &+ 0xbef9_a3f7)
        w15 = w15 &+ mixedEarly(w0) &+ w8 &+ mixedLate(w13)
        round(b, c, d, &e, f, g, h, &a, w15 &+ 0xc671_78f2)
        (self.a, self.b, self.c, self.d) = (a, b, c, d)
        (self.e, self.f, self.g, self.h) = (e, f, g, h)
    }
}
