import Foundation
import Kernels

/// Everything that decides one participant's files, drawn before any image is made.
struct SubjectPlan: Sendable {
    let label: String
    /// Position in the cohort, which names the random streams; labels may be shuffled, streams are not.
    let number: Int
    let age: Double
    let sex: String
    let group: PhantomGroup
    let severity: Double
    let site: Site
    let defect: PhantomCohort.Defect?

    /// True χ per tissue code, ppb, before gain and offset of the scanner.
    let susceptibilityPPB: [Double]

    init(
        label: String, number: Int, age: Double, sex: String, group: PhantomGroup, severity: Double, site: Site,
        defect: PhantomCohort.Defect?, seed: UInt64
    ) {
        (self.label, self.number, self.age, self.sex, self.group) = (label, number, age, sex, group)
        (self.severity, self.site, self.defect) = (severity, site, defect)
        var random = RandomStream(seed: seed, "subject", String(number), "susceptibility")
        // People differ in all nuclei together a little: correlation 0.15.
        let common = random.normal()
        func person(_ spread: Double) -> Double {
            (0.15.squareRoot() * common + 0.85.squareRoot() * random.normal()) * spread * (1 + 0.01 * max(0, age - 50))
        }
        var table = [Double](repeating: 0, count: Tissue.count)
        for nucleus in Nucleus.allCases {
            let model = Physiology.susceptibility(of: nucleus)
            var value = model.mean(age: age, severity: severity) + person(model.spread)
            if nucleus == .dentate, sex == "F" { value += 3 }
            let side = random.normal(0, 3 / 2.0.squareRoot())
            let other = random.normal(0, 3 / 2.0.squareRoot())
            table[Int(Tissue.nucleus(nucleus, right: false))] = value + side
            table[Int(Tissue.nucleus(nucleus, right: true))] = value + other
        }
        for (code, model) in Physiology.tissueSusceptibility.sorted(by: { $0.key < $1.key }) {
            table[Int(code)] = model.mean(age: age, severity: 0) + person(model.spread)
        }
        // CSF is one fluid.
        table[Int(Tissue.sulcus)] = table[Int(Tissue.ventricle)]
        table[Int(Tissue.cistern)] = table[Int(Tissue.ventricle)]
        susceptibilityPPB = table
    }

    /// The participants of a cohort, in the order of their labels.
    static func cohort(_ options: PhantomCohort.Options) -> [SubjectPlan] {
        let sites = (0..<options.sites).map { Site(seed: options.seed, number: $0) }
        let total = options.subjects + options.defects.count
        let width = max(3, String(total).count)
        // Broken participants stand anywhere in the list, not at its end.
        var places = Array(0..<total)
        if !options.defects.isEmpty {
            var random = RandomStream(seed: options.seed, "order")
            for place in stride(from: total - 1, to: 0, by: -1) {
                places.swapAt(place, Int(random.next() % UInt64(place + 1)))
            }
        }
        var plans: [SubjectPlan] = []
        // Which sex begins is the seed's choice; the rest of the pattern is fixed.
        var sexes = RandomStream(seed: options.seed, "sexes")
        let firstSex = Int(sexes.next() & 1)
        var previousAge = 55.0
        var members: [PhantomGroup: Int] = [:]
        for number in 0..<total {
            var random = RandomStream(seed: options.seed, "subject", String(number), "person")
            // Each patient with hemochromatosis is matched in age to the one before.
            let group = options.study.group(number, patientFraction: options.patientFraction)
            let isPatient = group == .hemochromatosis
            let ages = options.ages ?? options.study.ages(of: group)
            var age = random.uniform(ages.lowerBound, ages.upperBound)
            let severity = exp(random.normal(0, 0.4)) * 1.2 * options.effect
            let jitter = random.normal(0, 2)
            if isPatient, number > 0 {
                age = min(ages.upperBound, max(ages.lowerBound, previousAge + jitter))
            }
            previousAge = age
            // Each group goes round the sites by itself, and changes sex with the site, the round and the group: whoever
            // stops after any number of people has sex, site and group in no combination that follows from the others,
            // and after two rounds every combination equally often.
            let member = members[group, default: 0]
            members[group, default: 0] += 1
            let (round, place) = member.quotientAndRemainder(dividingBy: sites.count)
            let sex = (firstSex + round + place + (isPatient ? 1 : 0)) % 2 == 0 ? "F" : "M"
            let digits = String(places[number] + 1)
            plans.append(
                SubjectPlan(
                    label: String(repeating: "0", count: width - digits.count) + digits, number: number,
                    age: (age * 10).rounded() / 10, sex: sex, group: group,
                    severity: isPatient ? severity : 0, site: sites[place],
                    defect: number < options.subjects ? nil : options.defects[number - options.subjects],
                    seed: options.seed))
        }
        return plans.sorted { $0.label < $1.label }
    }
}
