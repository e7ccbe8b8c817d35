export { Link } from "./Link";
export { currentLocation, navigate, runPath, useLocation, useVisits } from "./router";
