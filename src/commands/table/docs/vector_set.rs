//! What the commands for vector sets do and which arguments they take.

use super::build::*;

const VALUES: Arg = block("values", &[integer("num").token("VALUES"), double("value").multiple()]);

pub const VADD: Docs = docs("Puts an element with its vector into a vector set, starting one when the key is missing.",
    "O(log(N)) for N elements", &[
    key(0), integer("dim").token("REDUCE").optional(),
    one_of("vector", &[string("fp32").token("FP32"), VALUES]),
    string("element"), option("CAS").optional(),
    one_of("quantization", &[option("NOQUANT"), option("Q8"), option("BIN")]).optional(),
    integer("exploration").token("EF").optional(), string("attribute").token("SETATTR").optional(),
    integer("links").token("M").optional(),
]);
pub const VCARD: Docs = docs("Tells how many elements a vector set has.", "O(1)", &[key(0)]);
pub const VDIM: Docs = docs("Tells how many components the vectors of a set have.", "O(1)", &[key(0)]);
pub const VEMB: Docs = docs("Answers with the vector of an element, as well as it is kept.",
    "O(D) for vectors of D components", &[key(0), string("element"), option("RAW").optional()]);
pub const VGETATTR: Docs = docs("Answers with the attribute of an element.", "O(1)", &[key(0), string("element")]);
pub const VINFO: Docs = docs("Describes a vector set and its graph.", "O(1)", &[key(0)]);
pub const VISMEMBER: Docs = docs("Tells whether a vector set has an element.", "O(1)", &[key(0), string("element")]);
pub const VLINKS: Docs = docs("Shows with which others an element is linked on each level of the graph.",
    "O(1), or O(D) with scores, for vectors of D components",
    &[key(0), string("element"), option("WITHSCORES").optional()]);
pub const VRANDMEMBER: Docs = docs("Answers with elements of a vector set chosen at random.",
    "O(N) for a count of N; O(1) without one", &[key(0), integer("count").optional()]);
pub const VREM: Docs = docs("Takes an element out of a vector set.", "O(M*M) for elements with M links",
    &[key(0), string("element")]);
pub const VSETATTR: Docs = docs("Sets the attribute of an element, or drops it when it is empty.", "O(1)",
    &[key(0), string("element"), string("attribute")]);
pub const VSIM: Docs = docs("Finds the elements whose vectors are nearest to another.",
    "O(log(N)) for N elements; O(N) with TRUTH", &[
    key(0), one_of("vector", &[string("element").token("ELE"), string("fp32").token("FP32"), VALUES]),
    option("WITHSCORES").optional(), integer("count").token("COUNT").optional(),
    double("distance").token("EPSILON").optional(), integer("exploration").token("EF").optional(),
    string("expression").token("FILTER").optional(), integer("effort").token("FILTER-EF").optional(),
    option("TRUTH").optional(), option("NOTHREAD").optional(),
]);
