/// What people call a model: by name, or by the beginning of its digest.
package enum ModelName {
    /// Fewer digits are not taken for a digest.
    package static let leastDigits = 6

    /// What a name may be, as part of a sentence.
    package static let rule =
        "a name is 1 to 100 letters a–z, digits, “.”, “_” and “-”, begins with a letter or a digit, and is neither what a "
        + "digest may begin with (\(leastDigits) to 64 hexadecimal digits alone) nor the name of a file (.safetensors, .onnx)"

    /// Whether `text` can name a model.
    package static func isValid(_ text: String) -> Bool {
        guard let first = text.utf8.first, text.utf8.count <= 100, isLetterOrDigit(first) else { return false }
        return text.utf8.allSatisfy { isLetterOrDigit($0) || [0x2D, 0x2E, 0x5F].contains($0) }
            && !isDigestPrefix(text.lowercased()) && !isPath(text)
    }

    /// Whether `text` can only be the path of a file: names have no folders and no extension of a file of weights.
    package static func isPath(_ text: String) -> Bool {
        text.contains("/") || text.hasPrefix("~") || text == "." || text == ".."
            || [".safetensors", ".onnx"].contains { text.lowercased().hasSuffix($0) }
    }

    /// Whether `text` can be the beginning of a digest.
    package static func isDigestPrefix(_ text: String) -> Bool {
        (leastDigits...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// Whether `text` would be one with more digits.
    package static func isTooShortForDigest(_ text: String) -> Bool {
        (1..<leastDigits).contains(text.utf8.count)
            && text.utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) }
    }

    /// Name of the model of one fold, where `name` stands for those of all: `deepmir.fold-2`.
    package static func ofFold(_ fold: Int, of name: String) -> String { "\(name).fold-\(fold)" }

    /// The fold that `text` says after `name`; nil where it is another name.
    package static func fold(in text: String, of name: String) -> Int? {
        let lead = name + ".fold-"
        guard text.hasPrefix(lead), let fold = Int(text.dropFirst(lead.count)), fold > 0, text == ofFold(fold, of: name)
        else { return nil }
        return fold
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte)
    }
}

extension ArtifactDigest {
    /// Enough of it for people.
    package var abbreviated: String { String(hex.prefix(12)) }
}
