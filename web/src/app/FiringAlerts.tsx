import { plural } from "../format";
import { Link } from "../router";
import { useAlerts } from "../store";

/** How many alerts fire, with a link to them; nothing while none does. */
export function FiringAlerts() {
  const firing = useAlerts().filter((alert) => alert.state === "firing");
  const [first] = firing;
  if (first === undefined) return null;
  const names = new Set(firing.map((alert) => alert.alert));
  return (
    <Link href="/alerts" className="firing tone-error">
      <span aria-hidden="true">▲ </span>
      {names.size === 1 ? `${first.alert}: firing` : `${plural(names.size, "alert")} firing`}
    </Link>
  );
}
