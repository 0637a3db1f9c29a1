/// Why a file name is not a BIDS name.
package struct BIDSNameError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Fault: Sendable, Hashable {
        case empty
        case noSuffix
        /// A part before the suffix without a dash.
        case notAnEntity(String)
        case emptyKey(String)
        case emptyLabel(key: String)
        case keyNotLetters(String)
        case labelCharacter(key: String, label: String, character: Character)
        case suffixCharacter(suffix: String, character: Character)
        case repeated(key: String)
    }

    package let fileName: String
    package let fault: Fault

    package var description: String {
        let why: String
        switch fault {
        case .empty: why = "there is no name"
        case .noSuffix: why = "the suffix (such as _T1w) is missing before the extension"
        case .notAnEntity(let part): why = "“\(part)” is not of the form key-label"
        case .emptyKey(let part): why = "“\(part)” has no key before the dash"
        case .emptyLabel(let key): why = "“\(key)-” has no label"
        case .keyNotLetters(let key): why = "the entity key “\(key)” is not made of letters"
        case .labelCharacter(let key, let label, let character):
            why = "the label of “\(key)-\(label)” contains “\(character)”; labels are letters, digits and +"
        case .suffixCharacter(let suffix, let character):
            why = "the suffix “\(suffix)” contains “\(character)”; suffixes are letters and digits"
        case .repeated(let key): why = "the entity “\(key)” is given twice"
        }
        return "\(fileName) is not a BIDS file name: \(why); rename the file or list it in .bidsignore"
    }
}

extension BIDSName {
    /// Takes a file name (no folders) apart.
    ///
    /// Letters and digits of any script are accepted in labels, so that a dataset with such labels works; whether they
    /// are portable is for `hasPortableLabels` to say. Entity order is not checked.
    package init(parsing fileName: String) throws(BIDSNameError) {
        func fail(_ fault: BIDSNameError.Fault) -> BIDSNameError { BIDSNameError(fileName: fileName, fault: fault) }
        if fileName.isEmpty { throw fail(.empty) }

        let stem: Substring
        if let dot = fileName.utf8.firstIndex(of: UInt8(ascii: ".")) {
            stem = fileName[..<dot]
            fileExtension = String(fileName[dot...])
        } else {
            stem = fileName[...]
            fileExtension = ""
        }
        entities = []
        suffix = ""
        var rest = stem
        while let underscore = rest.utf8.firstIndex(of: UInt8(ascii: "_")) {
            let part = rest[..<underscore]
            rest = rest[rest.utf8.index(after: underscore)...]
            guard let dash = part.utf8.firstIndex(of: UInt8(ascii: "-")) else { throw fail(.notAnEntity(String(part))) }
            let key = String(part[..<dash])
            let label = String(part[part.utf8.index(after: dash)...])
            if key.isEmpty { throw fail(.emptyKey(String(part))) }
            if label.isEmpty { throw fail(.emptyLabel(key: key)) }
            guard key.utf8.allSatisfy(Self.isASCIILetterOrDigit) else { throw fail(.keyNotLetters(key)) }
            if let character = Self.firstForeignCharacter(label, allowingPlus: true) {
                throw fail(.labelCharacter(key: key, label: label, character: character))
            }
            if entities.contains(where: { $0.key == key }) { throw fail(.repeated(key: key)) }
            entities.append(Entity(key, label))
        }
        if rest.isEmpty || rest.utf8.contains(UInt8(ascii: "-")) { throw fail(.noSuffix) }
        suffix = String(rest)
        if let character = Self.firstForeignCharacter(suffix, allowingPlus: false) {
            throw fail(.suffixCharacter(suffix: suffix, character: character))
        }
    }

    /// Every label is ASCII, as the standard asks.
    package var hasPortableLabels: Bool {
        entities.allSatisfy { $0.label.utf8.allSatisfy { $0 < 0x80 } }
    }

    private static func isASCIILetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }

    private static func firstForeignCharacter(_ text: String, allowingPlus: Bool) -> Character? {
        let isPlain = text.utf8.allSatisfy {
            isASCIILetterOrDigit($0) || (allowingPlus && $0 == UInt8(ascii: "+"))
        }
        if isPlain { return nil }
        return text.first { !($0.isLetter || $0.isNumber || (allowingPlus && $0 == "+")) }
    }
}
