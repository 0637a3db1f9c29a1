/// What a sidecar says of the unit of its image: never a guess.
package enum StatedUnit<Unit: Sendable & Hashable>: Sendable, Hashable {
    case known(Unit)
    /// No sidecar, or none that has `Units`; the sentence says what to add.
    case absent(String)
    /// `Units` is there but not one this quantity can have; the sentence quotes it and says what is valid.
    case unknown(String)

    package var unit: Unit? {
        if case .known(let unit) = self { unit } else { nil }
    }

    /// Why the unit is not known; nil when it is.
    package var problem: String? {
        switch self {
        case .known: nil
        case .absent(let sentence), .unknown(let sentence): sentence
        }
    }
}

/// Units of susceptibility. The standard asks for ppm; UK Biobank, among others, writes ppb.
package enum SusceptibilityUnit: String, Codable, Sendable, CaseIterable {
    case partsPerMillion = "ppm"
    case partsPerBillion = "ppb"

    /// Multiplies a value of this unit to give ppm.
    package var factorToPPM: Double { self == .partsPerMillion ? 1 : 0.001 }
}

/// Units of phase images. `arbitrary` must be scaled to (−π, π] by its own range before use.
package enum PhaseUnit: String, Codable, Sendable, CaseIterable {
    case radians = "rad"
    case arbitrary
}

/// Units of R2* maps.
package enum RelaxationRateUnit: String, Codable, Sendable, CaseIterable {
    case perSecond = "1/s"
}

package enum Units {
    /// - Parameters:
    ///   - metadata: merged sidecar of the image; nil when it has none.
    ///   - image: how to name the image in the sentence.
    package static func susceptibility(_ metadata: JSONValue?, image: String) -> StatedUnit<SusceptibilityUnit> {
        stated(
            metadata, image: image, quantity: "susceptibility", valid: "\"ppm\" or \"ppb\"",
            spellings: [
                "ppm": .partsPerMillion, "parts per million": .partsPerMillion, "1e-6": .partsPerMillion,
                "ppb": .partsPerBillion, "parts per billion": .partsPerBillion, "1e-9": .partsPerBillion,
            ])
    }

    package static func phase(_ metadata: JSONValue?, image: String) -> StatedUnit<PhaseUnit> {
        stated(
            metadata, image: image, quantity: "phase", valid: "\"rad\" or \"arbitrary\"",
            spellings: [
                "rad": .radians, "rads": .radians, "radian": .radians, "radians": .radians, "arbitrary": .arbitrary,
            ])
    }

    package static func relaxationRate(_ metadata: JSONValue?, image: String) -> StatedUnit<RelaxationRateUnit> {
        stated(
            metadata, image: image, quantity: "R2*", valid: "\"1/s\"",
            spellings: [
                "1/s": .perSecond, "s^-1": .perSecond, "s-1": .perSecond, "/s": .perSecond, "hz": .perSecond,
                "1/second": .perSecond, "1/seconds": .perSecond,
            ])
    }

    private static func stated<Unit>(
        _ metadata: JSONValue?, image: String, quantity: String, valid: String, spellings: [String: Unit]
    ) -> StatedUnit<Unit> {
        guard let value = metadata?["Units"] else {
            return .absent("\(image) does not say its unit; add \"Units\": \(valid) to its JSON sidecar")
        }
        guard let text = value.stringValue else {
            return .unknown("\(image): Units is \(value.kindName) in its JSON sidecar; \(quantity) takes \(valid)")
        }
        // Symbols are spelled with and without capitals (PPM, Ppm, Rad); no two of these units differ by case only.
        guard let unit = spellings[text.lowercased().trimmingSpaces] else {
            return .unknown("\(image): Units is “\(text)” in its JSON sidecar; \(quantity) takes \(valid)")
        }
        return .known(unit)
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var text = self[...]
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return String(text)
    }
}
